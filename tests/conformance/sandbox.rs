//! The simulated provider, played through its phones.

use std::sync::Mutex;

use entity::{
    channel::ConnectorKind,
    id::{AttemptId, PartnerId},
    sandbox_message,
    sandbox_session::{self, State},
};
use quartermaster::{
    connector::sandbox::{
        inbound::{self, Write},
        phones::{self, Scope},
    },
    idempotency::Repeatable,
    message::Text,
    onboarding,
    phone::Phone,
};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter};

use crate::{
    conformance::{OURS, Provider, choose_again},
    support::{TestApp, page::Page, provider::Trouble},
};

pub(crate) struct Sandbox {
    scope: Scope,
    shown: Mutex<Vec<String>>,
}

fn ours() -> Phone {
    Phone::parse(OURS).expect("a number")
}

impl Sandbox {
    async fn concluded(&self, app: &TestApp, sessions: &[AttemptId]) {
        for session in sessions {
            onboarding::session_changed(&app.app, ConnectorKind::Sandbox, *session).await.expect("a look");
        }
    }
}

impl Provider for Sandbox {
    async fn set_up(app: &TestApp, partner: &PartnerId) -> Self {
        choose_again(app, partner, ConnectorKind::Sandbox).await;
        Self { scope: Scope::Partner(partner.clone()), shown: Mutex::default() }
    }

    async fn show_code(&self, app: &TestApp, page: &Page) -> String {
        let mut code = page.now().await.code();
        if self.shown.lock().expect("a lock").contains(&code) {
            app.advance(20).await;
            code = page.now().await.code();
        }
        self.shown.lock().expect("a lock").push(code.clone());
        code
    }

    async fn run_out(&self, app: &TestApp) {
        for _ in 0..5 {
            app.advance(20).await;
        }
    }

    async fn link(&self, app: &TestApp, code: &str) {
        let played = phones::scan(&app.app, &self.scope, code, &ours(), &Repeatable::never()).await.expect("a scan");
        self.concluded(app, &played.sessions).await;
    }

    fn trouble(&self, trouble: Trouble) -> String {
        match trouble {
            Trouble::Limited(_) => "+15550000429",
            Trouble::Unavailable => "+15550000503",
            Trouble::Broken | Trouble::RequestLost => "+15550000505",
            Trouble::AnswerLost | Trouble::CutOff => "+15550000504",
            Trouble::Refused | Trouble::Says(..) => "+15550000404",
        }
        .to_owned()
    }

    async fn taken(&self, app: &TestApp, text: &str) -> usize {
        let found = sandbox_message::Entity::find()
            .filter(sandbox_message::Column::Text.eq(text))
            .all(app.app.db.reader())
            .await
            .expect("messages");
        found.iter().map(|message| usize::try_from(message.arrivals).expect("a count")).sum()
    }

    async fn read(&self, app: &TestApp, _text: &str) {
        app.advance(1).await;
        app.advance(1).await;
    }

    async fn write(&self, app: &TestApp, from: &str, text: &str) {
        let command = Write {
            from_name: None,
            phone: ours(),
            from: Phone::parse(from).expect("a number"),
            group: None,
            group_name: None,
            reply_to: None,
            text: Text::from_outside(text),
            file: None,
        };
        inbound::write(&app.app, &self.scope, &command, &Repeatable::never()).await.expect("a message");
    }

    async fn log_out(&self, app: &TestApp) {
        let played = phones::log_out(&app.app, &self.scope, &ours(), &Repeatable::never()).await.expect("the end");
        self.concluded(app, &played.sessions).await;
    }

    async fn is_gone(&self, app: &TestApp, session: AttemptId) -> bool {
        let found = sandbox_session::Entity::find_by_id(session).one(app.app.db.reader()).await.expect("a look");
        found.is_none_or(|session| matches!(session.state, State::Closed | State::LoggedOut))
    }
}
