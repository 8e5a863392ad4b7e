//! What alerts are sent through.

use crate::http::Failure;
use crate::outbox::Parcel;

/// A way to people or programs.
pub(crate) trait Channel: Send {
    /// Tries once. What arrived in part is noted in the parcel and not sent again.
    fn send(&self, parcel: &mut Parcel) -> Result<(), Failure>;
}
