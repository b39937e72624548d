//! What answers something at Unipile, and who is called what.

use serde_json::{Value, json};

use crate::{
    conformance::{
        Posted, Remote,
        answers::{Answering, GROUP, SUBJECT, Wrote},
    },
    support::unipile::Unipile,
};

impl Answering for Unipile {
    fn quoted(&self, text: &str, _is_own: bool) -> Option<String> {
        let message = self.message(text).expect("a message");
        let id = message["quote_id"].as_str().filter(|id| !id.is_empty())?;
        assert_eq!((&message["to"], &message["chat"]), (&json!(""), &json!("c")), "it goes where the other is");
        Some(id.to_owned())
    }

    const TELLS_SUBJECTS: bool = true;

    fn wrote(&self, wrote: &Wrote, number: u32) -> Posted {
        let mut posted = self.callback(&wrote.said(), number);
        let mut body: Value = serde_json::from_str(&posted.body).expect("JSON");
        if wrote.is_to_group {
            body["provider_chat_id"] = GROUP.into();
            body["subject"] = SUBJECT.into();
        }
        if let Some(name) = wrote.name {
            body["sender"]["attendee_name"] = name.into();
        }
        if let Some((id, _)) = &wrote.answers {
            body["quoted"] = json!({ "id": id, "text": "Hello" });
        }
        posted.body = body.to_string();
        posted
    }
}
