//! A connection that asks the database how it does whatever it is asked.

use std::sync::{Mutex, PoisonError};

use async_trait::async_trait;
use sea_orm::{ConnectionTrait, DatabaseConnection, DbBackend, DbErr, ExecResult, QueryResult, Statement};

/// Explains each query before it runs it.
pub(crate) struct Explaining<'a> {
    inner: &'a DatabaseConnection,
    plans: Mutex<Vec<(String, String)>>,
}

impl<'a> Explaining<'a> {
    pub(crate) fn new(inner: &'a DatabaseConnection) -> Self {
        Self { inner, plans: Mutex::default() }
    }

    /// The statements so far, each with its plan.
    pub(crate) fn into_plans(self) -> Vec<(String, String)> {
        self.plans.into_inner().unwrap_or_else(PoisonError::into_inner)
    }

    async fn explain(&self, statement: &Statement) -> Result<(), DbErr> {
        let (words, column) = match statement.db_backend {
            DbBackend::Sqlite => ("EXPLAIN QUERY PLAN", "detail"),
            _ => ("EXPLAIN (ANALYZE, COSTS OFF, BUFFERS, TIMING OFF)", "QUERY PLAN"),
        };
        let explained = Statement { sql: format!("{words} {}", statement.sql), ..statement.clone() };
        let rows = self.inner.query_all_raw(explained).await?;
        let lines = rows.iter().map(|row| row.try_get::<String>("", column)).collect::<Result<Vec<_>, _>>()?;
        let mut plans = self.plans.lock().unwrap_or_else(PoisonError::into_inner);
        plans.push((statement.to_string(), lines.join("\n")));
        Ok(())
    }
}

#[async_trait]
impl ConnectionTrait for Explaining<'_> {
    fn get_database_backend(&self) -> DbBackend {
        self.inner.get_database_backend()
    }

    async fn execute_raw(&self, statement: Statement) -> Result<ExecResult, DbErr> {
        self.inner.execute_raw(statement).await
    }

    async fn execute_unprepared(&self, sql: &str) -> Result<ExecResult, DbErr> {
        self.inner.execute_unprepared(sql).await
    }

    async fn query_one_raw(&self, statement: Statement) -> Result<Option<QueryResult>, DbErr> {
        self.explain(&statement).await?;
        self.inner.query_one_raw(statement).await
    }

    async fn query_all_raw(&self, statement: Statement) -> Result<Vec<QueryResult>, DbErr> {
        self.explain(&statement).await?;
        self.inner.query_all_raw(statement).await
    }
}
