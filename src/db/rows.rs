//! Many rows for one statement whose text does not depend on their number, so that it is prepared once.
//!
//! PostgreSQL gets an array for each column, SQLite one JSON document: each unfolds fastest what it reads natively.

use std::collections::BTreeMap;

use sea_orm::{DbBackend, Value, sea_query::ArrayType};
use uuid::Uuid;

/// One column of all rows. The framework's arrays hold no NULL, so an optional text that is empty counts as none.
pub(crate) enum Column {
    /// `BIGINT`.
    Numbers(Vec<i64>),
    /// `TEXT`.
    Texts(Vec<String>),
    /// `TEXT`, or NULL.
    OptionalTexts(Vec<Option<String>>),
    /// `UUID`.
    Ids(Vec<Uuid>),
    /// `UUID`, or NULL.
    OptionalIds(Vec<Option<Uuid>>),
}

impl Column {
    fn len(&self) -> usize {
        match self {
            Self::Numbers(values) => values.len(),
            Self::Texts(values) => values.len(),
            Self::OptionalTexts(values) => values.len(),
            Self::Ids(values) => values.len(),
            Self::OptionalIds(values) => values.len(),
        }
    }

    const fn kind(&self) -> &'static str {
        match self {
            Self::Numbers(_) => "bigint",
            Self::Texts(_) | Self::OptionalTexts(_) => "text",
            Self::Ids(_) | Self::OptionalIds(_) => "uuid",
        }
    }

    /// The column on PostgreSQL, from the array's.
    fn selected(&self, name: &str) -> String {
        match self {
            Self::OptionalTexts(_) => format!("NULLIF(x.{name}, '') AS {name}"),
            Self::OptionalIds(_) => format!("NULLIF(x.{name}, '{}') AS {name}", Uuid::nil()),
            _ => format!("x.{name}"),
        }
    }

    fn into_array(self) -> Value {
        let array = |kind, values: Vec<Value>| Value::Array(kind, Some(Box::new(values)));
        match self {
            Self::Numbers(values) => array(ArrayType::BigInt, values.into_iter().map(Value::from).collect()),
            Self::Texts(values) => array(ArrayType::String, values.into_iter().map(Value::from).collect()),
            Self::OptionalTexts(values) => {
                array(ArrayType::String, values.into_iter().map(|value| value.unwrap_or_default().into()).collect())
            }
            Self::Ids(values) => array(ArrayType::Uuid, values.into_iter().map(Value::from).collect()),
            Self::OptionalIds(values) => {
                array(ArrayType::Uuid, values.into_iter().map(|value| value.unwrap_or_default().into()).collect())
            }
        }
    }

    /// Writes the value of one row as JSON.
    fn write(&self, row: usize, text: &mut Vec<u8>) {
        let id = |id: Option<Uuid>| id.map(uuid::fmt::Simple::from_uuid);
        let written = match self {
            Self::Numbers(values) => serde_json::to_writer(text, &values[row]),
            Self::Texts(values) => serde_json::to_writer(text, &values[row]),
            Self::OptionalTexts(values) => {
                serde_json::to_writer(text, &values[row].as_deref().filter(|value| !value.is_empty()))
            }
            Self::Ids(values) => serde_json::to_writer(text, &id(Some(values[row]))),
            Self::OptionalIds(values) => serde_json::to_writer(text, &id(values[row])),
        };
        debug_assert!(written.is_ok(), "memory takes everything");
    }
}

/// Rows, by columns with their names.
pub(crate) struct Rows(Vec<(&'static str, Column)>);

impl Rows {
    /// All columns have to be of one length.
    pub(crate) fn new(columns: Vec<(&'static str, Column)>) -> Self {
        debug_assert!(columns.windows(2).all(|pair| pair[0].1.len() == pair[1].1.len()), "columns of one length");
        Self(columns)
    }

    /// How many rows there are.
    pub(crate) fn len(&self) -> usize {
        self.0.first().map_or(0, |(_, column)| column.len())
    }

    /// How many rows there are of each number in the column of this name.
    pub(crate) fn counts_of(&self, name: &str) -> BTreeMap<i64, i64> {
        let mut counts = BTreeMap::new();
        for column in self.0.iter().filter(|column| column.0 == name).map(|(_, column)| column) {
            let Column::Numbers(numbers) = column else { continue };
            for number in numbers {
                *counts.entry(*number).or_default() += 1;
            }
        }
        counts
    }

    /// The rows as a table `x`, bound behind the values that are there.
    pub(crate) fn bind(self, backend: DbBackend, values: &mut Vec<Value>) -> String {
        let place = values.len() + 1;
        if backend == DbBackend::Postgres {
            let names: Vec<&str> = self.0.iter().map(|(name, _)| *name).collect();
            let arrays =
                self.0.iter().zip(place..).map(|((_, column), place)| format!("${place}::{}[]", column.kind()));
            let arrays = arrays.collect::<Vec<_>>().join(", ");
            let selected: Vec<String> = self.0.iter().map(|(name, column)| column.selected(name)).collect();
            let table =
                format!("(SELECT {} FROM unnest({arrays}) AS x({})) AS x", selected.join(", "), names.join(", "));
            values.extend(self.0.into_iter().map(|(_, column)| column.into_array()));
            return table;
        }
        let column = |(index, (name, column)): (usize, &(&str, Column))| match column {
            Column::Ids(_) | Column::OptionalIds(_) => format!("unhex(value->>{index}) AS {name}"),
            _ => format!("value->>{index} AS {name}"),
        };
        let columns: Vec<String> = self.0.iter().enumerate().map(column).collect();
        values.push(self.to_json().into());
        format!("(SELECT {} FROM json_each(${place})) AS x", columns.join(", "))
    }

    /// An array of rows, each an array of its columns.
    fn to_json(&self) -> String {
        let mut text = vec![b'['];
        for row in 0..self.len() {
            text.extend_from_slice(if row == 0 { b"[" } else { b",[" });
            for (index, (_, column)) in self.0.iter().enumerate() {
                if index > 0 {
                    text.push(b',');
                }
                column.write(row, &mut text);
            }
            text.push(b']');
        }
        text.push(b']');
        // Whoever writes JSON writes UTF-8.
        String::from_utf8(text).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_bound_behind_what_is_there() {
        let rows = || {
            Rows::new(vec![
                ("a", Column::Numbers(vec![1, -2])),
                ("b", Column::OptionalTexts(vec![Some("x\"\u{1}".to_owned()), None])),
                ("c", Column::OptionalIds(vec![None, Some(Uuid::from_u128(7))])),
            ])
        };
        let mut values = vec![Value::from(0i64)];
        let table = rows().bind(DbBackend::Postgres, &mut values);
        assert_eq!(
            table,
            "(SELECT x.a, NULLIF(x.b, '') AS b, NULLIF(x.c, '00000000-0000-0000-0000-000000000000') AS c \
             FROM unnest($2::bigint[], $3::text[], $4::uuid[]) AS x(a, b, c)) AS x"
        );
        assert_eq!(values.len(), 4);
        let mut values = vec![];
        let table = rows().bind(DbBackend::Sqlite, &mut values);
        assert_eq!(table, "(SELECT value->>0 AS a, value->>1 AS b, unhex(value->>2) AS c FROM json_each($1)) AS x");
        let text = r#"[[1,"x\"\u0001",null],[-2,null,"00000000000000000000000000000007"]]"#;
        assert_eq!(values, [Value::from(text)]);
    }
}
