//! Providers that are reached below a path of their host.

use entity::{
    channel::ConnectorKind,
    id::PartnerId,
    message::{self, Direction, Status},
};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter};

use crate::{
    conformance::{Provider, Remote, Said, Scene, THEIRS, callbacks::told, choose},
    support::{
        evolution,
        provider::{Fake, Played},
        unipile,
        upload::png,
        waha,
    },
};

/// Links an account, sends, receives a file, and lets the account go, all below the path.
async fn all_goes_below_its_path<P: Played>(connector: ConnectorKind, key: &str)
where
    Fake<P>: Remote,
{
    let scene = Scene::<Fake<P>>::new().await;
    scene.provider.move_to("/far/away");
    let partner = PartnerId::parse("acme").expect("an id");
    choose(&scene.app, &partner, connector, &format!("{}/", scene.provider.url()), key).await;
    scene.link().await;
    let id = scene.send(THEIRS, "Hello").await;
    assert_eq!((scene.app.message(id).await.status, scene.used().await), (Status::Sent, 1));
    assert_eq!(Provider::taken(&scene.provider, &scene.app, "Hello").await, 1);
    let file = Remote::keep(&scene.provider, "tart.png", "image/png", &png(2000, 2)).expect("kept");
    for (number, file) in [(1, file.clone()), (2, file.replace("/api/", "/far/away/api/"))] {
        let id = if number == 1 { "IN1" } else { "IN2" };
        told(&scene, &Said::Wrote { id, text: "A tart", file: Some((file, "image/png")) }, number).await;
    }
    let received = message::Entity::find().filter(message::Column::Direction.eq(Direction::Received));
    let received = received.all(scene.app.app.db.reader()).await.expect("messages");
    assert_eq!(received.iter().map(|message| message.file_id.is_some()).collect::<Vec<_>>(), [true, true]);
    let session = scene.channel().await.session;
    let path = format!("/workspaces/{}/users/{}/whatsapp/disconnect", scene.workspace, scene.user);
    scene.acme.post_empty(&path).await.expect(200);
    scene.app.run_jobs().await;
    assert!(scene.provider.is_gone(&scene.app, session).await);
}

#[tokio::test]
async fn waha_may_be_below_a_path() {
    all_goes_below_its_path::<waha::Sessions>(ConnectorKind::Waha, waha::KEY).await;
}

#[tokio::test]
async fn evolution_may_be_below_a_path() {
    all_goes_below_its_path::<evolution::Instances>(ConnectorKind::Evolution, evolution::KEY).await;
}

#[tokio::test]
async fn unipile_may_be_below_a_path() {
    all_goes_below_its_path::<unipile::Accounts>(ConnectorKind::Unipile, unipile::KEY).await;
}
