//! The package's own changelog (deb-changelog(5)): what was packaged. What changed is in CHANGELOG.md.

use jiff::Timestamp;
use jiff::tz::TimeZone;

/// Who the package is from, as in `[package.metadata.deb]`.
const MAINTAINER: &str = "the tokend authors <tokend@localhost>";

/// One entry.
pub(super) fn text(version: &str, epoch: i64) -> String {
    let moment = Timestamp::from_second(epoch).unwrap_or_default().to_zoned(TimeZone::UTC);
    let date = moment.strftime("%a, %d %b %Y %H:%M:%S +0000");
    let upstream = version.rsplit_once('-').map_or(version, |(upstream, _)| upstream);
    format!(
        "tokend ({version}) unstable; urgency=medium\n\n  * tokend {upstream}; see /usr/share/doc/tokend/NEWS.gz.\n\n -- \
         {MAINTAINER}  {date}\n"
    )
}
