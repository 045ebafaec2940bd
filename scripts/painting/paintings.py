"""The sample pictures as data: a scene, the colors of its regions, and the brushes."""

from painting.parts import Brush, Painting
from painting.scenes import papery, starlit, sunlit

PAINTINGS = {
    "starlit-swirls": Painting(
        starlit,
        (
            "#0a1a4f #12348a #1f5fb4 #4a93c9 #9fcdc4 #f0e6a0 | #2d2a7a #2a8f9c #7fb4de",
            "#e39a1c #f6c52f #fbe27a #fff6cf | #f08a1d #fdf2b0",
            "#0d2148 #1c3f6e #2f6a7d #5f9a92 | #3b3a7c",
            "#0c2a63 #1a4c8f #3b86b5 #8cc0c0 | #f0c24a #27407f",
            "#050d22 #0e1f2e #1b3a38 #33543c | #5a3a2a",
            "#f0a02a #fbd95c #fff3c0 | #ff8a2a",
        ),
        (
            Brush((16, 24), (90, 170), 3.0, 0.07, -0.08, turn=0.1),
            Brush((9, 15), (60, 140), 3.0, 0.09, 0.0, 0.07),
            Brush((4, 7), (40, 110), 1.1, 0.10, 0.10, 0.12),
            Brush((4, 7), (14, 40), 3.0, 0.06, 0.0, 0.1, regions=(1, 5)),
        ),
    ),
    "sunlit-field": Painting(
        sunlit,
        (
            "#134a63 #23818c #6fb7a2 #e3b98a #e8683a #f59a2f #ffcf4d #fff0a6 | #d8401f #f7b08a",
            "#ffb21f #ffd94a #fff2a8 | #ff8a1f",
            "#1f2f66 #3f4f94 #7a639f #c87a86 | #1f7f8f #e0906a",
            "#8a4a14 #c97a1c #e6a92c #f6d25a | #d8401f #5f8a4a #fbe9a0",
            "#8f2414 #cf3d1c #ec6a2a #f7a03c | #1f7f74 #f6d25a",
            "#051a1c #0c3531 #17594a #3f8a45 #a3b83f | #12305a #c9641c",
            "#1d4a34 #3b7a42 #7fa83f #d3cf5a | #1f7f84 #e8a832",
        ),
        (
            Brush((18, 26), (60, 120), 3.0, 0.07, -0.05),
            Brush((12, 18), (40, 90), 3.0, 0.09, 0.0, 0.10, hair=1.6, turn=0.2),
            Brush((7, 11), (28, 60), 1.8, 0.10, 0.06, 0.16, hair=1.6, turn=0.2),
            Brush((5, 8), (30, 70), 2.0, 0.08, 0.0, 0.10, regions=(1, 5)),
        ),
        relief=1.5,
    ),
    "paper-waves": Painting(
        papery,
        (
            "#efe2c4 #f1e6cb #dfcda6 | #cdb88e", "#d9553a #dd6044 #c2452f",
            "#f8f3e2 #faf6e8 #dfe3d6", "#93c1ba #9ac6be #6fa8a8",
            "#3c7c94 #438499 #2a6684", "#1b3c63 #20436b #3f6f96",
            "#ecc9a4 #efcfac #dfb188",
        ),
        (
            Brush((1.5, 3.5), (50, 200), 0.3, 0.05, 0.6, 0.1, 1.0, 0.02, (0, 1, 6)),
            Brush((1.5, 3), (20, 90), 0.16, 0.05, 0.7, 0.0, 1.0, 0.03, (3, 4, 5)),
        ),
        relief=0.1,
        ink="#14233c",
    ),
}  # fmt: skip
