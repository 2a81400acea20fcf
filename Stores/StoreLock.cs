using Npgsql;
using WebRtcIms.ServiceDefaults;

namespace WebRtcIms.Stores;

/// <summary>A lock among the replicas of a service on one store. It ends when it is disposed, and when its process ends.</summary>
public static class StoreLock
{
    private static readonly TimeSpan Poll = TimeSpan.FromMilliseconds(100);

    /// <summary>Waits for the lock. The database must exist.</summary>
    /// <param name="store">The store.</param>
    /// <param name="name">What the lock is for.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    public static Task<IAsyncDisposable> LockAsync(this StoreSettings store, string name, CancellationToken cancellationToken) =>
        store.IsPostgres ? LockPostgresAsync(store, name, cancellationToken) : LockFileAsync(store, name, cancellationToken);

    private static async Task<IAsyncDisposable> LockPostgresAsync(StoreSettings store, string name, CancellationToken cancellationToken)
    {
        // The lock ends with its connection, also when this process is killed. So the connection is not from the pool.
        var address = new NpgsqlConnectionStringBuilder(store.ConnectionString) { Pooling = false };
        var connection = new NpgsqlConnection(address.ConnectionString);
        try
        {
            await connection.OpenAsync(cancellationToken);
            await using var command = new NpgsqlCommand("SELECT pg_advisory_lock(hashtextextended(@name, 0))", connection)
            {
                CommandTimeout = 0,
                Parameters = { new NpgsqlParameter("name", $"{store.Name}.{name}") },
            };
            await command.ExecuteNonQueryAsync(cancellationToken);
            return connection;
        }
        catch
        {
            await connection.DisposeAsync();
            throw;
        }
    }

    private static async Task<IAsyncDisposable> LockFileAsync(StoreSettings store, string name, CancellationToken cancellationToken)
    {
        var path = Path.Combine(store.Directory, $"{store.Name}.{name}");
        while (true)
        {
            try
            {
                return PrivateFiles.Open(path, FileShare.None);
            }
            catch (IOException error) when (error is not DirectoryNotFoundException)
            {
                await Task.Delay(Poll, cancellationToken);
            }
        }
    }
}
