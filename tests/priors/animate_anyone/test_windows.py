from zero1toa.priors.animate_anyone.windows import windows


def test_a_short_clip_is_one_window():
    assert windows(16, 16, 4) == [list(range(16))]
    assert windows(3, 16, 4) == [[0, 1, 2]]


def test_the_published_windows_wrap_to_the_first_frames():
    first, second = windows(20, 16, 4)
    assert first == list(range(16)) and second == [*range(12, 20), *range(8)]
    assert [w[0] for w in windows(30, 24, 0)] == [0, 24]


def test_clamped_windows_end_with_the_clip_and_see_every_frame():
    for frames in (17, 20, 40, 41):
        made = windows(frames, 16, 4, "clamp")
        assert {i for w in made for i in w} == set(range(frames))
        assert made[-1][-1] == frames - 1 and all(w == list(range(w[0], w[0] + 16)) for w in made)
