import io

from phi_tensor import ConsoleProgress, progress_range, watched


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_range_reports_every_finished_step():
    seen = []
    assert list(progress_range(5, lambda done, total, values: seen.append((done, total)), start=2)) == [
        2,
        3,
        4,
    ]
    assert seen == [(3, 5), (4, 5), (5, 5)]


def test_watched_items_are_reported():
    seen = []
    assert list(watched("ab", 2, lambda done, total, values: seen.append(done))) == ["a", "b"]
    assert seen == [1, 2]


def test_bar_on_a_terminal_shows_values_and_time_left():
    stream = Terminal()
    bar = ConsoleProgress("fit", stream, every=0)
    bar(1, 4, {"loss": 0.25})
    bar(2, 4, {"loss": 0.125})
    bar(4, 4, {"loss": 0.0625})
    text = stream.getvalue()
    assert "fit" in text
    assert "2/4" in text
    assert "loss 0.125" in text
    assert "s left" in text
    assert text.endswith("\n")


def test_few_lines_elsewhere():
    stream = io.StringIO()
    bar = ConsoleProgress("", stream)
    for i in range(1, 101):
        bar(i, 100, {})
    lines = stream.getvalue().splitlines()
    assert 2 <= len(lines) <= 4
    assert "100/100" in lines[-1]


def test_unknown_totals():
    stream = io.StringIO()
    ConsoleProgress("n", stream, every=0)(7, None, {"x": 1.0})
    assert stream.getvalue().strip() == "n 7  x 1"


def test_bars_are_written_in_the_signs_that_a_stream_knows():
    for encoding, sign in (("ascii", "#"), ("cp1252", "#"), ("utf-8", "█")):
        raw = io.BytesIO()
        stream = io.TextIOWrapper(raw, encoding=encoding)
        bar = ConsoleProgress("fit", stream, every=0)
        bar(1, 2, {})
        bar(2, 2, {})
        stream.flush()
        assert sign in raw.getvalue().decode(encoding)
