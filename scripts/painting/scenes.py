"""What lies where on the canvas: the scenes of the sample pictures.

Positions are in heights of the picture: y runs from 0 to 1, x from 0 to the aspect.
"""

import numpy as np

from painting.parts import Array, Rng, Scene, along, noise, streaks

# Discs in the sky (x, y, radius, spin), vortices (x, y, reach, spin), lights (x, width).
DISCS = (
    (1.15, 0.17, 0.075, 1.0), (0.13, 0.15, 0.040, -1.0), (0.36, 0.09, 0.028, 1.0),
    (0.83, 0.09, 0.034, -1.0), (0.10, 0.44, 0.032, 1.0), (0.33, 0.53, 0.024, -1.0),
    (1.24, 0.47, 0.036, 1.0), (0.60, 0.07, 0.018, 1.0), (1.02, 0.36, 0.020, -1.0),
)  # fmt: skip
VORTICES = ((0.52, 0.30, 0.20, 1.0), (0.84, 0.42, 0.13, -1.0), (0.20, 0.29, 0.09, -1.0))
LIGHTS = (
    (0.14, 0.014), (0.31, 0.012), (0.55, 0.020), (0.61, 0.012), (0.70, 0.024), (0.76, 0.014),
    (0.94, 0.016), (1.19, 0.022), (1.27, 0.012),
)  # fmt: skip


def starlit(rng: Rng, x: Array, y: Array) -> Scene:
    """Build a night: vortices and glowing discs over far hills, a lake with lights, dark land."""
    u, v = np.ones_like(x), 0.55 * np.sin(5.2 * x + 2.0 * y) - 0.1
    glow, spiral, warm = np.zeros((3, *x.shape))
    label = np.zeros(x.shape, int)
    for cx, cy, reach, spin in VORTICES:
        dx, dy = x - cx, y - cy
        r = np.hypot(dx, dy)
        pull = 6 * np.exp(-((r / reach) ** 2)) * spin / reach
        u, v = u - pull * (dy + 0.25 * spin * dx), v + pull * (dx - 0.25 * spin * dy)
        arm = np.cos(2 * (np.arctan2(dy, dx) - 4.0 * spin * np.log(r / reach + 0.08)))
        spiral += np.exp(-((r / reach) ** 2)) * arm
    for cx, cy, radius, spin in DISCS:
        dx, dy = x - cx, y - cy
        r = np.hypot(dx, dy) / radius
        pull = 9 * np.exp(-((r / 2.4) ** 2)) * spin / radius
        u, v = u - pull * dy, v + pull * dx
        glow += np.exp(-((r / 2.3) ** 2)) * (0.8 + 0.2 * np.cos(5 * r))
        warm = np.maximum(warm, 1.25 - r)
    label[warm > 0] = 1
    angle = np.arctan2(v, u)
    tone = 0.05 + 0.5 * streaks(rng, angle, 16) + 0.3 * spiral + 0.55 * glow + 0.25 * y**2
    tone += 0.22 * np.exp(-(((y - 0.6 + 0.05 * np.sin(4 * x)) / 0.05) ** 2))
    tone = np.where(warm > 0, warm, tone)
    far = 0.70 - 0.05 * np.sin(3.1 * x + 0.6) - 0.03 * np.sin(9 * x) - 0.02 * np.sin(17 * x + 2)
    near = 0.93 - 0.10 * np.exp(-((x / 0.35) ** 2)) - 0.03 * np.sin(5 * x + 1) + 0.02 * x
    slope = np.arctan(0.5 * np.gradient(far, axis=1) / np.gradient(x, axis=1))
    grain = streaks(rng, slope, 22)
    hill, lake, land = (y > far) & (y < 0.79), y >= 0.79, y > near
    ways = [-0.5 + 0.9 * np.sin(4 * x + 5 * y), 0.15 * np.sin(40 * y + 6 * x), slope + 0.3 * grain]
    angle = np.select([land, lake, hill], ways, angle)
    label = np.select([land, lake, hill], [4, 3, 2], label)
    tone = np.where(y > far, grain, tone)
    for at, width in LIGHTS:
        dash = np.sin(150 * y + 70 * at) > -0.1 + 0.4 * (y - 0.79) / 0.1
        trail = width * (1.2 - 4 * (y - 0.79)) * (0.7 + 0.5 * np.sin(47 * y + 90 * at))
        column = dash & (np.abs(x - at) < trail) & lake & (y < 0.81 + 5 * width)
        lamp = np.hypot(x - at, y - 0.775 + 0.02 * np.sin(70 * at)) < 0.6 * width
        label[(column & ~land) | lamp] = 5
        halo = np.exp(-((np.hypot(x - at, (y - 0.79) / 1.3) / (3 * width)) ** 2))
        tone = tone + 0.45 * halo * (y > far)
    return Scene(label.astype(np.uint8), np.clip(tone, 0, 1), angle)


# Flame-like trees (x, foot, height, half width).
FLAMES = ((1.14, 0.70, 0.38, 0.045), (0.41, 0.80, 0.50, 0.060), (0.19, 1.08, 1.06, 0.130))


def sunlit(rng: Rng, x: Array, y: Array) -> Scene:
    """Build a sunset: rings about the sun, far hills, furrowed fields and flame-like trees."""
    sun_x, sun_y = 0.84, 0.26
    r = np.hypot(x - sun_x, y - sun_y)
    wave = noise(rng, x, 5) - 0.5
    ring = along(r + 0.16 * wave)
    tone = 1.0 - 1.1 * np.clip(r / 0.8, 0, 1) ** 0.8 + 0.42 * (streaks(rng, ring, 13) - 0.5)
    label = np.where(r < 0.10, 1, 0)
    tone = np.where(r < 0.10, 1 - r / 0.10, tone)
    ridge = y - 0.45 + 0.05 * np.sin(4 * x + 0.5) + 0.02 * np.sin(11 * x)
    slope = along(ridge + 0.05 * wave)
    field = y > 0.56 + 0.03 * np.sin(6 * x + 2)
    label[ridge > 0] = 2
    angle = np.where(ridge > 0, slope, ring)
    tone = np.where(ridge > 0, 0.9 * streaks(rng, slope, 20) - 1.5 * ridge + 0.1, tone)
    bearing = np.arctan2(x - 0.72, y - 0.38) + 0.35 * (noise(rng, x, 3) - 0.5)
    furrow = along(bearing)
    rows = np.sin(30 * bearing) * 0.5 + 0.5
    strip = np.floor(2.9 * bearing) * 2 + np.floor(3.1 * np.log(np.maximum(y + 0.1 * wave, 0.1)))
    crops = np.array([3, 4, 3, 6, 3, 4, 6])[np.mod(strip, 7).astype(int)]
    label = np.where(field, crops, label)
    angle = np.where(field, furrow, angle)
    tone = np.where(field, 0.55 * rows + 0.5 * streaks(rng, furrow, 24) - 0.05, tone)
    lick = noise(rng, x, 17)
    for at, foot, height, half in FLAMES:
        t = (foot - y) / height
        inside = np.clip(t, 0, 1)
        sway = at + half * (0.3 * np.sin(6 * t + 40 * at) + 0.1 * np.sin(17 * t))
        body = half * (1 - inside) ** 0.8 * np.minimum(1, 0.45 + 3 * inside) * (0.6 + 0.9 * lick)
        tree = (np.abs(x - sway) < body) & (t > 0) & (t < 1)
        label[tree] = 5
        lean = 0.9 * (x - sway) / half + 1.3 * (lick - 0.5) + 0.4 * np.sin(22 * t)
        angle = np.where(tree, lean - np.pi / 2, angle)
        tone = np.where(tree, 0.45 + 0.35 * (x - sway) / half + 0.7 * (lick - 0.5), tone)
    return Scene(label.astype(np.uint8), np.clip(tone, 0, 1), angle)


# Far to near: rows of waves (base, height, length, lean) and after each a curling wave
# (x, y, radius, spin) that stands on the next row; bars of mist (x, y, half length, half height).
ROWS = (
    (0.66, 0.05, 0.23, 0.2), (0.76, 0.08, 0.37, 0.3),
    (0.87, 0.09, 0.52, -0.3), (0.98, 0.10, 0.43, 0.4),
)  # fmt: skip
BREAKERS = ((0.50, 0.36, 0.19, 1.0), (1.02, 0.63, 0.12, -1.0), (0.34, 0.76, 0.12, 1.0))
MIST = (
    (0.95, 0.32, 0.20, 0.022), (1.12, 0.36, 0.25, 0.022), (0.05, 0.15, 0.22, 0.025),
    (0.22, 0.195, 0.16, 0.020), (0.66, 0.09, 0.12, 0.018),
)  # fmt: skip


def breaker(x: Array, y: Array, wave: tuple[float, ...], base: float) -> Array:
    """Return the depth below the surface of a curling wave, in turns about its eye."""
    eye_x, eye_y, radius, spin = wave
    ahead = (x - eye_x) * spin
    fall = 1 - np.exp(-((np.maximum(-ahead, 0) / (2.6 * radius)) ** 1.7))
    back = eye_y - radius + (base - eye_y + radius) * fall
    foot = np.clip((base - y) / (base - eye_y), 0.05, 1)
    face = -0.5 * radius * np.log(foot) + 1.5 * np.maximum(eye_y - y, 0) - ahead
    body = np.where((ahead > 0) & (y < eye_y), -1, np.minimum(y - back, face))
    winding = np.mod(np.arctan2(y - eye_y, ahead) / (2 * np.pi) + 0.25, 1)
    lobes = 0.12 * radius * np.abs(np.sin(7 * np.pi * winding)) * (winding < 4 / 7)
    roll = radius + lobes - np.hypot(ahead, y - eye_y) - 0.5 * radius * winding
    return np.where(roll > 0, roll, body) / (0.5 * radius)


def papery(rng: Rng, x: Array, y: Array) -> Scene:
    """Build waves of cut paper: striped rows and breakers under a pale sky with a red sun."""
    label = np.zeros(x.shape, np.uint8)
    wobble = noise(rng, x, 4) - 0.5
    level = y + 0.12 * wobble
    label[np.hypot(x - 1.02, y - 0.25) < 0.145] = 1
    for mist_x, mist_y, length, thick in MIST:
        beyond = np.maximum(np.abs(x - mist_x) - length, 0)
        label[np.hypot(beyond, y - mist_y) < thick] = 6
    stripes = np.array([2, 2, 2, 3, 3, 4, 4, 5, 5, 5], np.uint8)
    for i, (base, height, length, lean) in enumerate(ROWS):
        phase = (x + lean * (y - base)) / length + base * 7 + 0.7 * wobble
        crest = base - height * (1 - np.abs(np.sin(np.pi * phase)) ** 0.8) * (1 + wobble)
        layers = [np.minimum((y - crest) / 0.14, 0.99)]
        if i < len(BREAKERS):
            layers.append(breaker(x, y, BREAKERS[i], ROWS[i + 1][0] + 0.06))
        for depth in layers:
            label = np.where(depth > 0, stripes[(np.mod(depth, 1) * 10).astype(int) % 10], label)
            level = np.where(depth > 0, depth, level)
    return Scene(label, 0.35 * noise(rng, x, 9), along(level))
