//! SQL of lists of chats; the workspace comes first.
//!
//! A list is read in two steps. Chats are in order by the hour of their newest message, then by what no index holds. So
//! the index is walked first, which has all that a filter asks for beside the hours, to learn from which hours the page
//! is; then only the chats of these hours are read and put in order.

use entity::{
    channel,
    chat::{Column, Entity, Model},
    chat_label, chat_member,
    id::{AccountId, ChatId, UserId, WorkspaceId},
    user,
};
use sea_orm::{
    ColumnTrait, Condition, ConnectionTrait, EntityTrait, ExprTrait, Order, PaginatorTrait, QueryFilter, QueryOrder,
    QuerySelect, QueryTrait, Select,
    sea_query::{Expr, NullOrdering, SelectStatement},
};

use crate::{
    chat::{
        filter::{Filter, PhoneFilter},
        visibility::View,
    },
    db,
    error::Result,
    page::PageNumber,
    phone::Phone,
};

/// So many chats before a page are looked at, to see how many of its first hour they are. Only where all of them are of
/// that hour, those before are counted, which costs as much as to find the page.
const LEAD: u64 = 50;

/// Labels that are on no more chats than this are looked up before, so that not every chat is asked whether it has one.
const FEW: u64 = 100;

/// To find a page beyond so many chats all chats that have a label are read before, instead of asking chat by chat:
/// asking ends with the page, so for the first ones it is the faster of the two.
const FAR: u64 = 250;

/// One row more than the page holds: the newest messages first, by name among equals. What `db` reads must be of one
/// moment.
///
/// # Errors
/// What the database says.
pub async fn page(
    db: &impl ConnectionTrait,
    workspace_id: WorkspaceId,
    filter: &Filter,
    page: PageNumber,
) -> Result<Vec<Model>> {
    let labelled = few_labelled(db, workspace_id, &filter.labels).await?;
    let people = People::of(db, workspace_id, filter).await?;
    let passing = Passing { workspace_id, filter, people, labelled };
    let walked = if page.offset() < FAR { passing.query() } else { passing.far() };
    let lead = std::cmp::min(page.offset(), LEAD);
    let hours = hours(walked.clone(), lead + PageNumber::SIZE + 1, page.offset() - lead, db).await?;
    let (before, hours) = hours.split_at_checked(usize::try_from(lead).unwrap_or(usize::MAX)).unwrap_or_default();
    let Some(newest) = hours.first() else { return Ok(Vec::new()) };
    let skipped = if before.first() == Some(newest) {
        let newer = walked.filter(Column::ActiveHour.gt(*newest));
        let newer = newer.select_only().column(Column::Id).count(db).await?;
        page.offset().saturating_sub(newer)
    } else {
        let of_newest = before.iter().filter(|hour| *hour == newest).count();
        u64::try_from(of_newest).unwrap_or(u64::MAX)
    };
    let mut hours = hours.to_vec();
    hours.dedup();
    Ok(in_order(passing.query())
        .filter(Column::ActiveHour.is_in(hours))
        .limit(PageNumber::SIZE + 1)
        .offset(skipped)
        .all(db)
        .await?)
}

/// Chats whose name or number contains one of these, the ones with the newest messages first. What `db` reads must be
/// of one moment.
///
/// # Errors
/// What the database says.
pub async fn matching(
    db: &impl ConnectionTrait,
    workspace_id: WorkspaceId,
    name: &str,
    digits: Option<&str>,
    most: u64,
) -> Result<Vec<ChatId>> {
    let mut is_one = Condition::any().add(db::contains(Column::NameFolded, name));
    if let Some(digits) = digits {
        is_one = is_one.add(db::contains(Column::Phone, digits));
    }
    let matching = Entity::find().filter(Column::WorkspaceId.eq(workspace_id)).filter(is_one);
    let newest = matching.clone().select_only().columns([Column::Id, Column::ActiveHour]);
    let newest = newest.order_by_desc(Column::ActiveHour).limit(most).into_tuple::<(ChatId, i64)>().all(db).await?;
    let is_all = u64::try_from(newest.len()).is_ok_and(|count| count < most);
    let found = match newest.last() {
        None => return Ok(Vec::new()),
        Some(_) if is_all => {
            let these = Entity::find().filter(Column::WorkspaceId.eq(workspace_id));
            these.filter(Column::Id.is_in(newest.iter().map(|(id, _)| *id)))
        }
        // Of the last hour there may be more, of which the newest are wanted.
        Some((_, oldest)) => matching.filter(Column::ActiveHour.gte(*oldest)),
    };
    Ok(in_order(found).select_only().column(Column::Id).limit(most).into_tuple().all(db).await?)
}

/// The hours of those of these chats, the newest first.
async fn hours(chats: Select<Entity>, limit: u64, offset: u64, db: &impl ConnectionTrait) -> Result<Vec<i64>> {
    let hours = chats.select_only().column(Column::ActiveHour).order_by_desc(Column::ActiveHour);
    Ok(hours.limit(limit).offset(offset).into_tuple().all(db).await?)
}

fn in_order(chats: Select<Entity>) -> Select<Entity> {
    chats
        .order_by_desc(Column::ActiveHour)
        .order_by_with_nulls(Column::LastMessageAt, Order::Desc, NullOrdering::Last)
        .order_by_asc(Column::NameFolded)
        .order_by_asc(Column::Id)
}

/// Accounts and users that a filter names, by the numbers that stand in chats: what is looked up before, a database has
/// no need to guess at. Absent where any will do.
struct People {
    accounts: Option<Vec<AccountId>>,
    responsible: Option<Vec<UserId>>,
    /// Whose chats only are seen, with its accounts.
    seen_by: Option<(UserId, Vec<AccountId>)>,
}

impl People {
    async fn of(db: &impl ConnectionTrait, workspace_id: WorkspaceId, filter: &Filter) -> Result<Self> {
        let accounts = || {
            let query = channel::Entity::find().select_only().column(channel::Column::AccountId);
            query.filter(channel::Column::WorkspaceId.eq(workspace_id))
        };
        let named = match filter.account_ids.as_slice() {
            [] => None,
            ids => Some(accounts().filter(channel::Column::ExternalId.is_in(ids)).into_tuple().all(db).await?),
        };
        let responsible = match filter.responsible.as_slice() {
            [] => None,
            addresses => {
                let users = user::Entity::find().select_only().column(user::Column::Id);
                let users = users.filter(user::Column::WorkspaceId.eq(workspace_id));
                Some(users.filter(user::Column::Email.is_in(addresses)).into_tuple().all(db).await?)
            }
        };
        let seen_by = match filter.view {
            View::All => None,
            View::Of(user_id) => {
                let own = accounts().filter(channel::Column::UserId.eq(user_id)).into_tuple().all(db).await?;
                Some((user_id, own))
            }
        };
        Ok(Self { accounts: named, responsible, seen_by })
    }
}

/// The chats that have one of these labels, if they are few.
async fn few_labelled(
    db: &impl ConnectionTrait,
    workspace_id: WorkspaceId,
    labels: &[String],
) -> Result<Option<Vec<ChatId>>> {
    if labels.is_empty() {
        return Ok(None);
    }
    let found: Vec<ChatId> = having_one(workspace_id, labels).limit(FEW + 1).into_tuple().all(db).await?;
    Ok(Some(found).filter(|found| u64::try_from(found.len()).is_ok_and(|count| count <= FEW)))
}

/// Chats that pass a filter.
struct Passing<'a> {
    workspace_id: WorkspaceId,
    filter: &'a Filter,
    people: People,
    /// Those that have one of the filter's labels, where they are few.
    labelled: Option<Vec<ChatId>>,
}

impl Passing<'_> {
    /// Asks one chat after the other whether it has a label.
    fn query(&self) -> Select<Entity> {
        let of_this = Expr::col((chat_label::Entity, chat_label::Column::ChatId)).equals((Entity, Column::Id));
        self.where_labelled(|labelled| Expr::exists(labelled.filter(of_this).into_query()))
    }

    /// Reads all chats that have a label before.
    fn far(&self) -> Select<Entity> {
        self.where_labelled(|labelled| is_in_list(labelled.into_query()))
    }

    fn where_labelled(&self, has_one: impl FnOnce(Select<chat_label::Entity>) -> Expr) -> Select<Entity> {
        let Self { workspace_id, filter, people, labelled } = self;
        let query = about_itself(Entity::find().filter(Column::WorkspaceId.eq(*workspace_id)), filter)
            .apply_if(people.accounts.as_ref(), |query, ids| query.filter(Column::AccountId.is_in(ids.iter().copied())))
            .apply_if(people.responsible.as_ref(), |query, ids| {
                query.filter(Column::ResponsibleUserId.is_in(ids.iter().copied()))
            })
            .apply_if(people.seen_by.as_ref(), |query, (user_id, own)| {
                let own = Column::AccountId.is_in(own.iter().copied());
                query.filter(Condition::any().add(Column::ResponsibleUserId.eq(*user_id)).add(own))
            });
        let query =
            if filter.phones.is_empty() { query } else { query.filter(has_one_of(*workspace_id, &filter.phones)) };
        match labelled {
            Some(ids) => query.filter(Column::Id.is_in(ids.iter().copied())),
            None if filter.labels.is_empty() => query,
            None => query.filter(has_one(having_one(*workspace_id, &filter.labels))),
        }
    }
}

/// The ids of the chats that have one of these labels.
fn having_one(workspace_id: WorkspaceId, labels: &[String]) -> Select<chat_label::Entity> {
    let chats = chat_label::Entity::find().select_only().column(chat_label::Column::ChatId);
    let chats = chats.filter(chat_label::Column::WorkspaceId.eq(workspace_id));
    chats.filter(chat_label::Column::Label.is_in(labels))
}

/// Whether a chat is one of these. As a value, so that a database keeps their list beside the walk, instead of joining it
/// or beginning with it.
fn is_in_list(ids: SelectStatement) -> Expr {
    Column::Id.in_subquery(ids).is(Expr::custom_keyword("TRUE"))
}

/// One of these numbers is the other side's, or that of a known member of the group.
fn has_one_of(workspace_id: WorkspaceId, phones: &[Phone]) -> Condition {
    let phones = || phones.iter().map(Phone::as_str);
    let members = chat_member::Entity::find()
        .select_only()
        .column(chat_member::Column::ChatId)
        .filter(chat_member::Column::WorkspaceId.eq(workspace_id))
        .filter(chat_member::Column::Phone.is_in(phones()));
    let direct = Condition::all().add(Column::IsGroup.eq(false)).add(Column::Phone.is_in(phones()));
    Condition::any().add(direct).add(is_in_list(members.into_query()))
}

/// What the chat's own columns say.
fn about_itself(mut query: Select<Entity>, filter: &Filter) -> Select<Entity> {
    if !filter.names.is_empty() {
        let is_one = |any: Condition, name: &String| any.add(db::contains(Column::NameFolded, name));
        query = query.filter(filter.names.iter().fold(Condition::any(), is_one));
    }
    if filter.phone.is_some() {
        query = query.filter(Column::IsGroup.eq(false));
    }
    match &filter.phone {
        Some(PhoneFilter::Whole(phone)) => query = query.filter(Column::Phone.eq(phone.as_str())),
        Some(PhoneFilter::Part(digits)) => query = query.filter(db::contains(Column::Phone, digits)),
        None => {}
    }
    for (column, wanted) in
        [(Column::Closed, filter.closed), (Column::Read, filter.read), (Column::IsGroup, filter.group)]
    {
        query = query.apply_if(wanted, |query, wanted| query.filter(column.eq(wanted)));
    }
    let answered = Condition::all().add(Column::Autoresponse.eq(true)).add(Column::AutoresponseLocked.eq(false));
    query
        .apply_if(filter.autoresponse, |query, wanted| {
            query.filter(if wanted { answered.clone() } else { answered.clone().not() })
        })
        .apply_if(filter.created_from, |query, from| query.filter(Column::CreatedAt.gte(from)))
        .apply_if(filter.created_until, |query, until| query.filter(Column::CreatedAt.lte(until)))
}
