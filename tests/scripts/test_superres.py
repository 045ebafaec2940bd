"""The tables of enlarged pictures."""

import json

import evaluate
import numpy as np
from evaluation.fidelity import luminance, psnr, ssim
from PIL import Image
from problems import picture, write_vgg
from small_enlargers import write_small_enlarger


def test_luminance_psnr_and_ssim():
    white, black = np.ones((2, 2, 3)), np.zeros((2, 2, 3))
    assert set(luminance(white).flat) == {235.0} and set(luminance(black).flat) == {16.0}
    truth = luminance(picture(11, 12)).astype(float)
    np.testing.assert_allclose(psnr(truth + 5.0, truth), 20.0 * np.log10(255.0 / 5.0))
    assert ssim(truth, truth) == 1.0
    # Two windows of 11 x 11, each weighed by itself: Wang et al. (2004), equations 13 to 16.
    other = truth + np.random.default_rng(0).normal(0.0, 9.0, truth.shape)
    at = np.exp(-0.5 * np.square(np.arange(-5, 6) / 1.5))
    weights = np.outer(at, at) / np.outer(at, at).sum()
    each = []
    for left in range(2):
        a, b = (plane[:, left : left + 11] for plane in (other, truth))
        mean_a, mean_b = (weights * a).sum(), (weights * b).sum()
        spread_a, spread_b = ((weights * (x - m) ** 2).sum() for x, m in ((a, mean_a), (b, mean_b)))
        both = (weights * (a - mean_a) * (b - mean_b)).sum()
        first, second = (0.01 * 255) ** 2, (0.03 * 255) ** 2
        similar = (2 * mean_a * mean_b + first) * (2 * both + second)
        each.append(similar / ((mean_a**2 + mean_b**2 + first) * (spread_a + spread_b + second)))
    np.testing.assert_allclose(ssim(other, truth), np.mean(each))


def test_the_table_holds_bicubic_and_each_sharpness(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    write_vgg(tmp_path / "judge.safetensors")
    weights = write_small_enlarger(tmp_path / "x4.safetensors")
    for name, size in (("Set5", (66, 70)), ("Set14", (64, 64))):
        (tmp_path / "sets" / name).mkdir(parents=True)
        samples = np.rint(255 * picture(*size)).astype(np.uint8)
        Image.fromarray(samples).save(tmp_path / "sets" / name / "a.png")
        Image.fromarray(samples[..., 0]).save(tmp_path / "sets" / name / "gray.png")
    words = ["--sets", "sets", "--judge", "judge.safetensors", "--json", "figures.json"]
    assert evaluate.main(["superres", *words, "--weights", str(weights)]) == 0
    head, _, bicubic, *rows = capsys.readouterr().out.splitlines()
    cells = [cell.strip() for cell in head.split("|")[2:-1]]
    assert cells == [f"{n}, {way}" for n in ("Set5", "Set14") for way in ("antialiased", "blurred")]
    assert all(cell.split()[2] == "1.000" for cell in bicubic.split("|")[2:-1])
    assert [row.split("|")[1].strip() for row in rows[:3]] == [
        f"sharpness {s}" for s in ("0", "0.5", "1")
    ]
    assert any("as published" in row for row in rows)
    figures = json.loads((tmp_path / "figures.json").read_text())
    assert len(figures) == 2 * 2 * 4 and all(np.isfinite(each["psnr"]) for each in figures)
    assert evaluate.main(["superres", "--sets", "none"]) == 2
    assert "holds no folder of pictures" in capsys.readouterr().err
