from __future__ import annotations

from lobule.config import Config
from lobule.report.inputs import standard_banners


def test_sound_settings_need_no_banner() -> None:
    assert standard_banners(Config(), group_by="case") == ()


def test_severity_follows_from_what_is_wrong() -> None:
    random = Config.model_validate({"features": {"weights": "none"}})
    leaking = standard_banners(random, group_by="image", synthetic=True)
    assert [banner.severity for banner in leaking] == ["danger"] * 3
    assert len({banner.text for banner in leaking}) == 3
    assert [banner.severity for banner in standard_banners(Config(), group_by="patient")] == ["warning"]
