//! Messages that go out: once, or never and for nothing.

use entity::{channel, message::Status};

use crate::{
    conformance::{Provider, Remote, Scene, THEIRS},
    ledger::audited,
    support::provider::Trouble,
};

pub(crate) async fn from_link_to_answer<P: Provider>() {
    let scene = Scene::<P>::linked().await;
    assert_eq!(scene.channel().await.state, channel::State::Connected);
    let id = P::answer(&scene, "Your bread is ready.").await;
    let message = scene.app.message(id).await;
    assert_eq!((message.status, message.tries), (Status::Sent, 1));
    assert_eq!(scene.provider.taken(&scene.app, "Your bread is ready.").await, 1);
    scene.provider.read(&scene.app, "Your bread is ready.").await;
    assert_eq!(scene.app.message(id).await.status, Status::Read);
    let steps: Vec<Status> = scene.app.history(id).await.into_iter().map(|(status, _)| status).collect();
    assert_eq!(steps, [Status::Sent, Status::Delivered, Status::Read]);
    scene.provider.write(&scene.app, THEIRS, "I am on my way!").await;
    let token = scene.token().await;
    let chat = token.get("/chats").await.expect(200)["data"]["chats"][0].clone();
    assert_eq!(chat["read"], false);
    if scene.channel().await.network.has_numbers() {
        assert_eq!(chat["phone"], THEIRS);
    }
    let messages = token.get(&format!("/chats/{}/messages", chat["id"])).await.expect(200);
    let texts: Vec<&str> = messages["data"]["messages"]
        .as_array()
        .expect("messages")
        .iter()
        .filter_map(|message| message["text"].as_str())
        .collect();
    for text in ["Your bread is ready.", "I am on my way!"] {
        assert_eq!(texts.iter().filter(|found| **found == text).count(), 1, "{messages}");
    }
    assert_eq!(scene.used().await, 1);
    audited(&scene.app).await;
}

pub(crate) async fn a_limit_is_waited_for<P: Provider>() {
    for (wait, early, late) in [(Some(5), 4, 1), (None, 1, 4)] {
        let scene = Scene::<P>::linked().await;
        let to = scene.provider.trouble(Trouble::Limited(wait));
        let id = scene.send(&to, "Hello").await;
        assert_eq!(scene.app.message(id).await.status, Status::Queued);
        scene.app.advance(early).await;
        assert_eq!(scene.app.message(id).await.status, Status::Queued);
        scene.app.advance(late).await;
        assert_eq!(
            (scene.app.message(id).await.status, scene.provider.taken(&scene.app, "Hello").await),
            (Status::Sent, 1)
        );
        assert_eq!(scene.used().await, 1);
    }
}

pub(crate) async fn what_was_not_taken_is_sent_again<P: Provider>() {
    let scene = Scene::<P>::linked().await;
    let to = scene.provider.trouble(Trouble::Unavailable);
    let id = scene.send(&to, "Hello").await;
    assert_eq!(
        (scene.app.message(id).await.status, scene.provider.taken(&scene.app, "Hello").await),
        (Status::Queued, 0)
    );
    scene.app.advance(2).await;
    let message = scene.app.message(id).await;
    assert_eq!((message.status, message.tries), (Status::Sent, 2));
    assert_eq!((scene.provider.taken(&scene.app, "Hello").await, scene.used().await), (1, 1));
}

pub(crate) async fn what_may_have_been_taken_is_not<P: Provider>() {
    for (trouble, taken) in
        [(Trouble::AnswerLost, 1), (Trouble::RequestLost, 0), (Trouble::CutOff, 1), (Trouble::Broken, 0)]
    {
        let scene = Scene::<P>::linked().await;
        let to = scene.provider.trouble(trouble.clone());
        let id = scene.send(&to, "Hello").await;
        assert_eq!(scene.app.message(id).await.status, Status::Unknown, "{trouble:?}");
        if taken == 0 {
            scene.app.advance(24 * 3600 - 10).await;
            assert_eq!(scene.app.message(id).await.status, Status::Unknown, "{trouble:?}");
            scene.app.advance(20).await;
            let message = scene.app.message(id).await;
            assert_eq!((message.status, message.failure.as_deref()), (Status::Failed, Some("outcome_unknown")));
            assert_eq!(scene.used().await, 0, "{trouble:?}");
        }
        assert_eq!((scene.app.message(id).await.tries, scene.provider.taken(&scene.app, "Hello").await), (1, taken));
        audited(&scene.app).await;
    }
}

pub(crate) async fn what_is_refused_gives_its_credit_back<P: Provider>() {
    let scene = Scene::<P>::linked().await;
    let to = scene.provider.trouble(Trouble::Refused);
    let id = scene.send(&to, "Hello").await;
    assert_eq!((scene.app.message(id).await.status, scene.used().await), (Status::Failed, 0));
    assert_eq!(scene.provider.taken(&scene.app, "Hello").await, 0);
    audited(&scene.app).await;
}

pub(crate) async fn a_message_whose_answer_was_lost_is_recognised<P: Remote>() {
    let scene = Scene::<P>::linked().await;
    let to = scene.provider.trouble(Trouble::AnswerLost);
    let lost = scene.send(&to, "Hello").await;
    scene.app.advance(3).await;
    let other = scene.send(&to, "Another").await;
    assert_eq!(scene.app.statuses(&[lost, other]).await, [Status::Unknown, Status::Sent]);
    // What is told of it before it is recognised is not forgotten.
    let reference = scene.provider.reference("Hello");
    let delivered = scene.provider.callback(&crate::conformance::Said::Delivered { reference }, 1);
    assert_eq!(scene.provider.post(&delivered, crate::conformance::Signature::Genuine).await, 200);
    scene.app.run_jobs().await;
    for _ in 0..2 {
        scene.provider.tell_gone_out("Hello").await;
        scene.app.run_jobs().await;
    }
    scene.provider.tell_gone_out("Another").await;
    scene.app.advance(10).await;
    assert_eq!(scene.app.statuses(&[lost, other]).await, [Status::Delivered, Status::Sent]);
    scene.app.advance(25 * 3600).await;
    assert_eq!(scene.app.statuses(&[lost, other]).await, [Status::Delivered, Status::Sent]);
    assert_eq!((scene.provider.taken(&scene.app, "Hello").await, scene.used().await), (1, 2));
}

pub(crate) async fn a_wrong_key_fails_a_message_once<P: Remote>() {
    let scene = Scene::<P>::linked().await;
    scene.provider.refuse_key(true);
    let id = scene.send(THEIRS, "Hello").await;
    let message = scene.app.message(id).await;
    assert_eq!((message.status, message.failure.as_deref()), (Status::Failed, Some("auth_invalid")));
    assert_eq!((scene.used().await, scene.account().await["connected"].clone()), (0, true.into()));
    scene.provider.refuse_key(false);
    scene.app.advance(3).await;
    scene.send(THEIRS, "Hello again").await;
    assert_eq!(scene.provider.taken(&scene.app, "Hello again").await, 1);
}
