//! Files that go: however many are due, and whatever of them cannot be removed.

use std::{path::PathBuf, time::Duration};

use entity::{
    blob, blob_stray, file,
    id::{BlobId, FileId},
    timestamp::Timestamp,
};
use quartermaster::{db, file::purge};
use sea_orm::{ActiveModelTrait, EntityTrait, IntoActiveModel, PaginatorTrait, Set};

use crate::support::{START, TestApp, sender::Sender, upload::png};

const DAY: u64 = 24 * 3600;

/// Files, contents, and objects that belong to nothing.
async fn traces(app: &TestApp) -> (u64, u64, u64) {
    let db = app.app.db.reader();
    let files = file::Entity::find().count(db).await.expect("a count");
    let blobs = blob::Entity::find().count(db).await.expect("a count");
    (files, blobs, blob_stray::Entity::find().count(db).await.expect("a count"))
}

async fn sweep(app: &TestApp) -> u64 {
    purge::sweep(&app.app).await.expect("a sweep")
}

/// So many files like the one that there is, but for what `change` says, each with a content of its own; the names of
/// their objects.
async fn files(app: &TestApp, count: usize, change: impl Fn(file::ActiveModel) -> file::ActiveModel) -> Vec<String> {
    let db = app.app.db.reader();
    let known = file::Entity::find().one(db).await.expect("a look").expect("a file");
    let content = blob::Entity::find().one(db).await.expect("a look").expect("a content");
    let keys: Vec<String> = (0..count).map(|_| format!("1/{}", app.app.clock.uuid())).collect();
    let blobs = keys.iter().map(|key| blob::ActiveModel {
        sha256: Set(key.as_bytes().to_vec()),
        object_key: Set(key.clone()),
        workspace_id: Set(content.workspace_id),
        created_at: Set(content.created_at),
        ..Default::default()
    });
    let blobs: Vec<_> = blobs.collect();
    let made =
        db::write(&app.app.db, "test", async |tx| Ok(blob::Entity::insert_many(blobs).exec_with_returning(tx).await?));
    let row = |blob_id: BlobId| {
        change(file::ActiveModel {
            id: Set(FileId(app.app.clock.uuid())),
            blob_id: Set(blob_id),
            ..known.clone().into_active_model().reset_all()
        })
    };
    let rows: Vec<_> = made.await.expect("contents").into_iter().map(|blob| row(blob.id)).collect();
    let written = db::write(&app.app.db, "test", async |tx| {
        file::Entity::insert_many(rows).exec_without_returning(tx).await?;
        Ok(())
    });
    written.await.expect("files");
    keys
}

/// Notes strays, due at this instant.
async fn strays(app: &TestApp, keys: &[String], due_at: Timestamp) {
    let row = |key: &String| blob_stray::ActiveModel {
        object_key: Set(key.clone()),
        upload_id: Set(None),
        due_at: Set(due_at),
    };
    let rows: Vec<_> = keys.iter().map(row).collect();
    let written = db::write(&app.app.db, "test", async |tx| {
        blob_stray::Entity::insert_many(rows).exec_without_returning(tx).await?;
        Ok(())
    });
    written.await.expect("strays");
}

async fn forget(app: &TestApp, keys: &[String]) {
    for key in keys {
        let gone = db::write(&app.app.db, "test", async |tx| {
            blob_stray::Entity::delete_by_id(key.clone()).exec(tx).await?;
            Ok(())
        });
        gone.await.expect("a stray is gone");
    }
}

#[tokio::test]
async fn all_that_is_due_goes_in_one_sweep() {
    let app = TestApp::start().await;
    let sender = Sender::with_credits(&app, 10).await;
    sender.token.picture("old.png", &png(1000, 1)).await;
    files(&app, 250, |row| row).await;
    app.clock.advance(Duration::from_secs(91 * DAY));
    let now = app.clock.now();
    files(&app, 250, |row| file::ActiveModel { created_at: Set(now), provisional_until: Set(Some(now)), ..row }).await;
    files(&app, 1, |row| file::ActiveModel { created_at: Set(now), ..row }).await;
    assert_eq!(traces(&app).await, (502, 502, 0));
    assert_eq!((sweep(&app).await, traces(&app).await), (501, (1, 1, 0)));
    assert_eq!(sweep(&app).await, 0);
}

#[tokio::test]
async fn what_cannot_be_removed_stops_nothing_else() {
    let app = TestApp::start().await;
    let sender = Sender::with_credits(&app, 10).await;
    sender.token.picture("old.png", &png(1000, 1)).await;
    // Their objects are noted already, so their files cannot go.
    let held = files(&app, 101, |row| file::ActiveModel { created_at: Set(START.plus_seconds(-1)), ..row }).await;
    files(&app, 9, |row| row).await;
    app.clock.advance(Duration::from_secs(91 * DAY));
    let now = app.clock.now();
    strays(&app, &held, now.plus_seconds(3600)).await;
    // Where an object should be there is a folder, which the storage does not remove.
    let stuck: Vec<String> = (0..101).map(|number| format!("1/stuck-{number:03}")).collect();
    let folder = |key: &String| -> PathBuf { app.app.config.data_dir.join("files").join(key) };
    for key in &stuck {
        std::fs::create_dir_all(folder(key)).expect("a folder");
    }
    strays(&app, &stuck, START).await;
    strays(&app, &["1/gone".to_owned()], now).await;
    assert_eq!((sweep(&app).await, traces(&app).await), (10, (101, 101, 202)));

    forget(&app, &held).await;
    for key in &stuck {
        std::fs::remove_dir(folder(key)).expect("no folder");
    }
    assert_eq!((sweep(&app).await, traces(&app).await), (101, (0, 0, 0)));
}
