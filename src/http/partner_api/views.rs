//! What the Partner API shows of things (`contracts/timelines.md` §1.3).

use entity::{channel, user, workspace};
use poem_openapi::{
    ApiResponse, Object,
    payload::Json,
    types::{ParseFromJSON, ToJSON},
};

use crate::{
    http::formats::IsoTime,
    onboarding::ActiveLink,
    quota::Period,
    user as users,
    workspace::{Snapshot, SuspendedMember, overview::Overview},
};

/// An answer with status 201.
#[derive(ApiResponse)]
pub(super) enum Created<T: ParseFromJSON + ToJSON + Send + Sync> {
    /// It was made.
    #[oai(status = 201)]
    Created(Json<T>),
}

/// A workspace after it was made or changed.
#[derive(Object)]
#[oai(rename = "PartnerAPIWorkspaceResponse", skip_serializing_if_is_none)]
pub(super) struct WorkspaceView {
    /// Id, derived from the first display name.
    workspace_id: String,
    /// Name for people.
    display_name: String,
    /// Plan that its seats are on.
    plan_id: i64,
    /// Seats bought.
    seats_total: i32,
    /// Seats that no user holds.
    seats_available: i32,
    /// The user made with the workspace.
    owner_user_id: Option<i64>,
    /// The group that new users join.
    group_id: Option<i64>,
    /// IANA zone of the Public API's times (extension).
    time_zone: String,
    /// `active` or `suspended` (extension).
    status: String,
    /// When it was made.
    created_at: IsoTime,
    /// When it last changed.
    updated_at: IsoTime,
    /// Who lost a seat; only when a downgrade suspended somebody.
    suspended_members: Option<Vec<SuspendedMemberView>>,
}

impl WorkspaceView {
    /// With those whom a downgrade suspended.
    pub(super) fn with_suspended(workspace: &workspace::Model, suspended: &[SuspendedMember]) -> Self {
        let members = suspended.iter().map(SuspendedMemberView::from).collect();
        Self { suspended_members: (!suspended.is_empty()).then_some(members), ..Self::from(workspace) }
    }
}

impl From<&workspace::Model> for WorkspaceView {
    fn from(workspace: &workspace::Model) -> Self {
        Self::from(&Snapshot::from(workspace))
    }
}

impl From<&Snapshot> for WorkspaceView {
    fn from(workspace: &Snapshot) -> Self {
        Self {
            workspace_id: workspace.slug.to_string(),
            display_name: workspace.display_name.clone(),
            plan_id: workspace.plan_id.0,
            seats_total: workspace.seats_total,
            seats_available: workspace.seats_total - workspace.seats_used,
            owner_user_id: workspace.owner_user_id.map(|id| id.0),
            group_id: workspace.group_id.map(|id| id.0),
            time_zone: workspace.time_zone.clone(),
            status: workspace.status.to_string(),
            created_at: workspace.created_at.into(),
            updated_at: workspace.updated_at.into(),
            suspended_members: None,
        }
    }
}

/// A user that lost its seat in a downgrade.
#[derive(Object)]
#[oai(rename = "SuspendedMember", skip_serializing_if_is_none)]
struct SuspendedMemberView {
    /// The user.
    user_id: i64,
    /// Its account, if one was connected.
    whatsapp_account_id: Option<i64>,
    /// The account's number, `+` and digits.
    phone_numbers: Option<Vec<String>>,
}

impl From<&SuspendedMember> for SuspendedMemberView {
    fn from(member: &SuspendedMember) -> Self {
        let account = member.account.clone();
        Self {
            user_id: member.user_id.0,
            whatsapp_account_id: account.as_ref().map(|(id, _)| id.0),
            phone_numbers: account.map(|(_, phone)| vec![phone]),
        }
    }
}

/// A user.
#[derive(Object)]
#[oai(rename = "PartnerUser")]
pub(super) struct UserView {
    /// Number of the user.
    user_id: i64,
    /// Name for people.
    display_name: String,
    /// System address that cannot log in.
    email: String,
    /// `activated` or `suspended`.
    status: String,
    /// `owner` or `agent`.
    role: String,
    /// When it was made.
    created_at: IsoTime,
}

impl From<&user::Model> for UserView {
    fn from(user: &user::Model) -> Self {
        Self::from(&users::Snapshot::from(user))
    }
}

impl From<&users::Snapshot> for UserView {
    fn from(user: &users::Snapshot) -> Self {
        Self {
            user_id: user.id.0,
            display_name: user.display_name.clone(),
            email: user.email.clone(),
            status: user.status.to_string(),
            role: user.role.to_string(),
            created_at: user.created_at.into(),
        }
    }
}

/// A connected or formerly connected account.
#[derive(Object)]
#[oai(rename = "PartnerWhatsappAccount")]
struct AccountView {
    /// Number of the account.
    whatsapp_account_id: i64,
    /// The user that it was connected for.
    user_id: i64,
    /// Its number, `+` and digits.
    phone_number_e164: String,
    /// Whether it sends and receives now.
    connected: bool,
    /// `connected`, `disconnected`, `suspended` while its user holds no seat or the plan allows no more channels, or
    /// `deactivated` by the customer.
    connection_status: String,
    /// When it was last connected.
    connected_at: IsoTime,
}

impl From<&channel::Model> for AccountView {
    fn from(channel: &channel::Model) -> Self {
        let status = match channel.state {
            channel::State::Connected if channel.suspended => "suspended",
            channel::State::Connected if channel.deactivated => "deactivated",
            channel::State::Connected => "connected",
            channel::State::Disconnected => "disconnected",
        };
        Self {
            whatsapp_account_id: channel.account_id.0,
            user_id: channel.user_id.0,
            phone_number_e164: channel.phone.clone(),
            connected: status == "connected",
            connection_status: status.to_owned(),
            connected_at: channel.connected_at.into(),
        }
    }
}

/// A link that can still be opened.
#[derive(Object)]
#[oai(rename = "PartnerQrLink")]
pub(super) struct LinkView {
    /// The page's address.
    qr_link: String,
    /// Whose account it connects.
    user_id: i64,
    /// The network that it is on (extension).
    network: String,
    /// When it stops working.
    expires_at: IsoTime,
}

impl From<&ActiveLink> for LinkView {
    fn from(link: &ActiveLink) -> Self {
        use secrecy::ExposeSecret;
        Self {
            qr_link: link.url.expose_secret().to_owned(),
            user_id: link.user_id.0,
            network: link.network.to_string(),
            expires_at: link.expires_at.into(),
        }
    }
}

/// Seats.
#[derive(Object)]
struct SeatsView {
    /// Seats bought.
    total: i32,
    /// Seats held.
    used: i32,
    /// Seats that no user holds (extension).
    available: i32,
    /// Whether none is free (extension).
    full: bool,
    /// Whether nine of ten are held (extension).
    near_full: bool,
}

impl From<&workspace::Model> for SeatsView {
    fn from(workspace: &workspace::Model) -> Self {
        let (total, used) = (workspace.seats_total, workspace.seats_used);
        Self { total, used, available: total - used, full: used >= total, near_full: used * 10 >= total * 9 }
    }
}

/// A quota of the current period.
#[derive(Object)]
#[oai(rename = "PartnerQuota")]
struct QuotaView {
    /// What may be used.
    total: i64,
    /// What has been used.
    used: i64,
    /// First instant of the period.
    period_start: IsoTime,
    /// Last second of the period.
    period_end: IsoTime,
}

impl QuotaView {
    fn new(period: Period, total: i64, used: i64) -> Self {
        let last_second = period.end.plus_seconds(-1);
        Self { total, used, period_start: period.start.into(), period_end: last_second.into() }
    }
}

/// Credits that do not expire.
#[derive(Object)]
#[oai(rename = "PartnerNonRecurringQuota")]
struct NonRecurringView {
    /// Credits left.
    remaining_balance: i64,
}

/// Everything about a workspace.
#[derive(Object)]
#[oai(rename = "PartnerAPIWorkspaceDetails")]
pub(super) struct OverviewView {
    /// Id of the workspace.
    workspace_id: String,
    /// Name for people.
    display_name: String,
    /// `active` or `suspended` (extension).
    status: String,
    /// IANA zone of the Public API's times (extension).
    time_zone: String,
    /// Seats.
    seats: SeatsView,
    /// Message credits.
    messages_quota: QuotaView,
    /// API calls, reads included.
    api_calls_quota: QuotaView,
    /// Credits that do not expire.
    non_recurring_quota: NonRecurringView,
    /// Its users, by id.
    users: Vec<UserView>,
    /// Its accounts, by id.
    whatsapp_accounts: Vec<AccountView>,
    /// Links that can still be opened.
    qr_links: Vec<LinkView>,
}

impl From<&Overview> for OverviewView {
    fn from(overview: &Overview) -> Self {
        let figures = overview.figures;
        let messages = (figures.messages_total.0, figures.messages_used.0);
        Self {
            workspace_id: overview.workspace.slug.to_string(),
            display_name: overview.workspace.display_name.clone(),
            status: overview.workspace.status.to_string(),
            time_zone: overview.workspace.time_zone.clone(),
            seats: SeatsView::from(&overview.workspace),
            messages_quota: QuotaView::new(figures.period, messages.0, messages.1),
            api_calls_quota: QuotaView::new(figures.period, figures.api_calls_total, figures.api_calls_used),
            non_recurring_quota: NonRecurringView { remaining_balance: figures.non_recurring_balance.0 },
            users: overview.users.iter().map(UserView::from).collect(),
            whatsapp_accounts: overview.channels.iter().map(AccountView::from).collect(),
            qr_links: overview.links.iter().map(LinkView::from).collect(),
        }
    }
}
