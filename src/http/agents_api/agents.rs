//! Making, reading, changing and deleting agents.

use std::sync::Arc;

use poem_openapi::{
    ApiResponse, OpenApi,
    param::{Header, Path, Query},
};

use crate::{
    app::App,
    bot::{
        self, create, delete,
        list::{self, Place},
        settings::{Given, Settings},
        update::{self, Absent},
    },
    error::Result,
    http::{
        agents_api::{
            auth::TokenAuth,
            dialect::{AgentsFailure, Spoken},
            either::{Answer, EitherJson},
            views::{
                LinktorList, LinktorOne, LinktorRequest, TimelyAgent, TimelyList, TimelyRequest, bare_bot, named_in,
            },
        },
        query::{self, Written},
    },
    idempotency::Repeatable,
    token::Scope,
};

pub(super) struct AgentsApi {
    pub(super) app: Arc<App>,
}

type Body = EitherJson<LinktorRequest, TimelyRequest>;
type One<const STATUS: u16> = Answer<STATUS, LinktorOne, TimelyAgent>;

/// An agent was deleted.
#[derive(ApiResponse)]
enum Deleted {
    /// It is gone.
    #[oai(status = 204)]
    Done,
}

#[OpenApi]
impl AgentsApi {
    /// List agents
    ///
    /// In the order in which they were made.
    #[oai(path = "/agents", method = "get", operation_id = "list_agents")]
    async fn list(
        &self,
        caller: TokenAuth,
        /// Number of the page, from 1.
        page: Query<Written<i64>>,
        /// Agents on a page, 1 to 100; 20 where absent. Linktor's word.
        #[oai(name = "perPage")]
        per_page: Query<Written<i64>>,
        /// The same in Timely's words.
        #[oai(name = "per_page")]
        per_page_flat: Query<Written<i64>>,
        /// The same in Timely's other word.
        limit: Query<Written<i64>>,
    ) -> Result<Answer<200, LinktorList, TimelyList>, AgentsFailure> {
        let parse = || {
            let (limit, name) = match caller.spoken {
                Spoken::Linktor => (per_page.read("perPage")?, "perPage"),
                Spoken::Timely => query::either((&per_page_flat, "per_page"), (&limit, "limit"))?,
            };
            Place::parse(page.read("page")?, limit, name)
        };
        let place = caller.understand(Scope::AgentsRead, parse()).await?;
        let workspace_id = caller.admit(Scope::AgentsRead).await?.workspace.id;
        Ok(Answer::of(caller.spoken, list::list(&self.app, workspace_id, place).await?))
    }

    /// Make an agent
    ///
    /// Of the kind `http`: an endpoint that is sent the conversation as JSON (`agent`, `channel`, `chat`, `contact`, the
    /// new `message`, the last `messages`, oldest first), signed as Standard Webhooks has it; `webhook-id` is the uid of
    /// the message. Each message has its `sender` (`name` and `phone`, `null` where they are not known), its `timestamp`
    /// and its `received_timestamp`; `contact` is the other side of the chat, which of a group is the group. It answers 2xx
    /// with `{"reply": "…"}`, or with nothing to stay silent, within `timeout_ms` and 64 KiB. Of the kind `openai`: a model
    /// behind an endpoint for chat completions; in a group, `[time] name (number): ` stands before what others wrote.
    ///
    /// An agent answers what comes to its channels in chats whose `chatgpt_autoresponse_enabled` is on. Somebody's own
    /// message stops it in that chat, as do more than 20 replies in ten minutes or 200 in a day, until it is switched on
    /// again. What fails is not repeated: it leaves a note in the chat and a `bot:failed` event.
    ///
    /// The answer shows the signing secret; no other answer does. 409 if there are 50 agents already.
    #[oai(path = "/agents", method = "post", operation_id = "create_agent")]
    async fn create(
        &self,
        caller: TokenAuth,
        /// The same key and body returns the same answer for 30 days.
        #[oai(name = "Idempotency-Key")]
        key: Header<Option<String>>,
        body: Body,
    ) -> Result<One<201>, AgentsFailure> {
        let spoken = caller.spoken;
        let parsed = settings(body).and_then(|settings| {
            let request = Repeatable::new(caller.repeat_scope(), key.0.as_deref(), "create_agent", &settings)?;
            Ok((settings, request))
        });
        let parsed = parsed.map_err(|error| named_in(spoken, error));
        let (settings, request) = caller.understand(Scope::AgentsWrite, parsed).await?;
        let admitted = caller.admit(Scope::AgentsWrite).await?;
        let made = create::create(&self.app, admitted, &caller.origin(), &settings, &request).await;
        let made = made.map_err(|error| named_in(spoken, error))?;
        Ok(Answer::of(caller.spoken, made))
    }

    /// Get an agent
    #[oai(path = "/agents/:agent_id", method = "get", operation_id = "get_agent")]
    async fn get(
        &self,
        caller: TokenAuth,
        /// Id of the agent.
        agent_id: Path<String>,
    ) -> Result<One<200>, AgentsFailure> {
        let workspace_id = caller.admit(Scope::AgentsRead).await?.workspace.id;
        let found = bot::get(&self.app, workspace_id, bot::parse_id(bare_bot(&agent_id.0))?).await?;
        Ok(Answer::of(caller.spoken, found))
    }

    /// Change an agent
    ///
    /// What is absent stays. A secret that is sent back masked stays too.
    #[oai(path = "/agents/:agent_id", method = "patch", operation_id = "update_agent")]
    async fn update(
        &self,
        caller: TokenAuth,
        /// Id of the agent.
        agent_id: Path<String>,
        body: Body,
    ) -> Result<One<200>, AgentsFailure> {
        self.change(&caller, &agent_id.0, body, Absent::Stays).await
    }

    /// Set an agent up anew
    ///
    /// What is absent becomes as it is in a new agent; secrets stay.
    #[oai(path = "/agents/:agent_id", method = "put", operation_id = "replace_agent")]
    async fn replace(
        &self,
        caller: TokenAuth,
        /// Id of the agent.
        agent_id: Path<String>,
        body: Body,
    ) -> Result<One<200>, AgentsFailure> {
        self.change(&caller, &agent_id.0, body, Absent::IsUsual).await
    }

    /// Delete an agent
    ///
    /// It is taken off its channels.
    #[oai(path = "/agents/:agent_id", method = "delete", operation_id = "delete_agent")]
    async fn delete(
        &self,
        caller: TokenAuth,
        /// Id of the agent.
        agent_id: Path<String>,
    ) -> Result<Deleted, AgentsFailure> {
        let admitted = caller.admit(Scope::AgentsWrite).await?;
        let id = bot::parse_id(bare_bot(&agent_id.0))?;
        delete::delete(&self.app, admitted, &caller.origin(), id).await?;
        Ok(Deleted::Done)
    }
}

impl AgentsApi {
    async fn change(
        &self,
        caller: &TokenAuth,
        id: &str,
        body: Body,
        absent: Absent,
    ) -> Result<One<200>, AgentsFailure> {
        let parsed = settings(body).map_err(|error| named_in(caller.spoken, error));
        let settings = caller.understand(Scope::AgentsWrite, parsed).await?;
        let admitted = caller.admit(Scope::AgentsWrite).await?;
        let id = bot::parse_id(bare_bot(id))?;
        let changed = update::update(&self.app, admitted, &caller.origin(), id, &settings, absent).await;
        let changed = changed.map_err(|error| named_in(caller.spoken, error))?;
        Ok(Answer::of(caller.spoken, changed))
    }
}

fn settings(body: Body) -> Result<Settings> {
    Settings::parse(body.read::<Given>()?)
}
