//! SQL that a test runs past the store.

/// A connection to a PostgreSQL server.
pub struct Hand {
    client: tokio_postgres::Client,
    runtime: tokio::runtime::Runtime,
}

impl Hand {
    /// Connects, or fails the test.
    #[track_caller]
    pub fn on(url: &str) -> Self {
        Self::try_on(url).unwrap_or_else(|| panic!("no connection to {url}"))
    }

    /// Connects; `None` if the server does not answer.
    pub fn try_on(url: &str) -> Option<Self> {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .expect("a runtime");
        let url = url.split('?').next().unwrap_or(url);
        let (client, connection) =
            runtime.block_on(tokio_postgres::connect(url, tokio_postgres::NoTls)).ok()?;
        runtime.spawn(connection);
        Some(Self { client, runtime })
    }

    /// Runs statements.
    #[track_caller]
    pub fn run(&self, sql: &str) {
        self.runtime.block_on(self.client.batch_execute(sql)).expect(sql);
    }

    /// Runs a statement and returns the first column of each row, as text.
    #[track_caller]
    pub fn ask(&self, sql: &str) -> Vec<String> {
        let messages = self.runtime.block_on(self.client.simple_query(sql)).expect(sql);
        let first = |message| match message {
            tokio_postgres::SimpleQueryMessage::Row(row) => {
                Some(row.get(0).unwrap_or_default().to_owned())
            }
            _ => None,
        };
        messages.into_iter().filter_map(first).collect()
    }
}
