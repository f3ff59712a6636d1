"""What a built site must not have is found in one."""

from __future__ import annotations

from pathlib import Path

from scripts.site import faults


def test_links_that_lead_nowhere_and_foreign_hosts_are_told(tmp_path: Path) -> None:
    (tmp_path / "a.css").write_text(
        "body { background: url('b.png') } a { background: url(data:,) } @import 'https://a.b/c';"
    )
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "b.html").write_text('<a id="here" href="../a.html"></a><iframe src="c.html"></iframe>')
    (tmp_path / "a.html").write_text(
        '<link href="a.css"><link href="https://fonts.example/f.css"><script src="//cdn.example/s.js"></script>'
        '<a href="sub/b.html#here"></a><a href="sub/b.html?q=1#gone"></a><a href="https://a.b"></a><a href="#"></a>'
    )
    assert sorted(faults(tmp_path)) == [
        "a.css: b.png leads nowhere.",
        "a.css: https://a.b/c is fetched from a foreign host.",
        "a.html: //cdn.example/s.js is fetched from a foreign host.",
        "a.html: https://fonts.example/f.css is fetched from a foreign host.",
        "a.html: sub/b.html?q=1#gone has no such place.",
        "sub/b.html: c.html leads nowhere.",
    ]
