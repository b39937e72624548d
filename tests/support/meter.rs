//! What the meter keeps of a sender's workspace, and whether it is asked.

use std::time::Duration;

use entity::workspace;
use quartermaster::{
    message::send,
    meter::admission::{self, Need},
    token::check::check,
};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter};
use secrecy::ExposeSecret;

use crate::support::{TestApp, database::Mode, sender::Sender};

/// What the meter keeps of a workspace on Redis.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Kept {
    /// Where the workspace's window stands: each call that Redis lets in moves it on, and nothing else does.
    pub(crate) stands: i64,
    /// Credits on hold in the newest generation and the one before it, ended or not.
    pub(crate) held: i64,
}

/// The sender's workspace.
pub(crate) async fn workspace_of(app: &TestApp, sender: &Sender) -> workspace::Model {
    let query = workspace::Entity::find().filter(workspace::Column::Slug.eq(&sender.workspace));
    query.one(app.app.db.reader()).await.expect("a look").expect("a workspace")
}

/// What the meter keeps of the sender's workspace on the Redis of an application; zeros where it knows nothing.
pub(crate) async fn kept(app: &TestApp, sender: &Sender) -> Kept {
    let config = &app.app.config;
    let workspace = workspace_of(app, sender).await;
    let key = format!("{}:{{{}}}:workspace:{}", config.redis_prefix, workspace.partner_id, workspace.id);
    let script = "local packed = redis.call('GET', KEYS[1]) \
                  if not packed then return {0, 0} end \
                  local state = cmsgpack.unpack(packed) \
                  return {state[8], state[6] + state[7]}";
    let url = config.redis_url.as_ref().expect("a Redis").expose_secret();
    let client = redis::Client::open(url).expect("a URL");
    let mut connection = client.get_multiplexed_async_connection().await.expect("redis");
    let mut call = redis::cmd("EVAL");
    call.arg(script).arg(1).arg(key);
    let (stands, held) = call.query_async(&mut connection).await.expect("a state");
    Kept { stands, held }
}

/// Calls with the sender's token until it is Redis that lets the call in. Nobody else calls for its workspace meanwhile.
pub(crate) async fn until_on_redis(replica: &TestApp, sender: &Sender) {
    let token = sender.token.at(&replica.base);
    let asked = async {
        loop {
            let before = kept(replica, sender).await;
            // Until then it may be refused by what stands in for Redis.
            token.get("/workspace").await;
            if kept(replica, sender).await.stands != before.stands {
                return;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), asked).await.expect("the meter asks Redis");
}

/// Whether the meter holds no credits of the sender's workspace: only then it can hold all that the ledger has left.
pub(crate) async fn holds_nothing(app: &TestApp, sender: &Sender) -> bool {
    let caller = check(&app.app, sender.token.token()).await.expect("a caller");
    let credits = app.app.figures.read(caller.workspace.id).await.expect("figures").figures.messages_left;
    assert!(credits.0 > 0, "without credits nothing is seen");
    let (admitted, _) = admission::admit(&app.app, &caller, Need::Credits { credits, is_repeatable: false }).await;
    let hold = admitted.expect("an admission").hold;
    send::give_up(&app.app, &caller, hold);
    hold.is_some_and(|hold| hold.credits == credits)
}

/// Waits until the meter holds no credits of the sender's workspace, but for a few on Redis: a call that Redis answers
/// too late leaves a hold that nobody knows of, which ends by itself.
pub(crate) async fn until_nothing_is_held(app: &TestApp, sender: &Sender, but: i64) {
    let given_back = async {
        while !holds_nothing(app, sender).await {
            if Mode::current() == Mode::Clustered && kept(app, sender).await.held <= but {
                return;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), given_back).await.expect("every hold is given back");
}
