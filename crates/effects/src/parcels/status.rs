//! How far a parcel is, and what a notice makes of it. Pure.
//!
//! ```text
//! created ──> packed ──> in_transit ──> delivered
//!    └───────────┴────────────┴───────> returned
//! ```
//! One rule for notices that come late, twice or out of order: a step that the parcel has
//! reached or passed changes nothing; a step further on moves it, also over steps between them;
//! a parcel that was delivered or returned goes no further. What is sent back after its delivery
//! is a matter of the shop, not of this parcel.

/// The numbers are stored: never reuse one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ParcelStatus {
    Created = 0,
    Packed = 1,
    InTransit = 2,
    Delivered = 3,
    Returned = 4,
}

impl ParcelStatus {
    pub const ALL: [Self; 5] = [
        Self::Created,
        Self::Packed,
        Self::InTransit,
        Self::Delivered,
        Self::Returned,
    ];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Created => "created",
            Self::Packed => "packed",
            Self::InTransit => "in_transit",
            Self::Delivered => "delivered",
            Self::Returned => "returned",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.as_str() == text)
    }

    pub(super) const fn number(self) -> u8 {
        self as u8
    }

    pub(super) fn from_number(number: u8) -> Option<Self> {
        Self::ALL.get(usize::from(number)).copied()
    }

    /// Nothing follows.
    pub const fn is_final(self) -> bool {
        match self {
            Self::Delivered | Self::Returned => true,
            Self::Created | Self::Packed | Self::InTransit => false,
        }
    }
}

/// Where a parcel is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    pub status: ParcelStatus,
    /// How far it came on its way to the customer: `status`, unless it was returned.
    pub reached: ParcelStatus,
}

/// What a notice makes of a parcel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    Moved(Progress),
    /// It was there, or further.
    Known,
    /// It is delivered or returned, and the notice says something else.
    Refused,
}

impl Progress {
    pub const START: Self = Self {
        status: ParcelStatus::Created,
        reached: ParcelStatus::Created,
    };

    /// The carrier says that the parcel is there.
    #[must_use]
    pub fn take(self, notice: ParcelStatus) -> Step {
        if notice == self.status || notice <= self.reached {
            return Step::Known;
        }
        if self.status.is_final() {
            return Step::Refused;
        }
        let reached = match notice {
            ParcelStatus::Returned => self.reached,
            ParcelStatus::Created
            | ParcelStatus::Packed
            | ParcelStatus::InTransit
            | ParcelStatus::Delivered => notice,
        };
        Step::Moved(Self {
            status: notice,
            reached,
        })
    }

    /// The order was cancelled. What was not handed over comes back; what is on its way is the
    /// carrier's, who says how it ends.
    #[must_use]
    pub fn cancel(self) -> Step {
        match self.status {
            ParcelStatus::Created | ParcelStatus::Packed => self.take(ParcelStatus::Returned),
            ParcelStatus::InTransit | ParcelStatus::Delivered | ParcelStatus::Returned => {
                Step::Known
            }
        }
    }
}
