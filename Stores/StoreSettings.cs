using System.Data.Common;
using Microsoft.Data.Sqlite;
using Npgsql;
using WebRtcIms.ServiceDefaults;

namespace WebRtcIms.Stores;

/// <summary>Where a service keeps its tables: <c>ConnectionStrings:{Name}</c>, a SQLite file or a PostgreSQL database.</summary>
/// <param name="Name">The name of the connection string.</param>
/// <param name="ConnectionString">The connection string; a SQLite file has an absolute path in it. It may have a password in it.</param>
/// <param name="Directory">For files of the service: the folder of the SQLite file, or <c>.data</c> under the content root.</param>
/// <param name="IsPostgres">PostgreSQL; else SQLite.</param>
public sealed record StoreSettings(string Name, string ConnectionString, string Directory, bool IsPostgres)
{
    private const string DefaultDirectory = ".data";

    /// <summary>The name of the setting, for messages.</summary>
    public string Setting => $"ConnectionStrings:{Name}";

    /// <summary>
    /// Reads the connection string. The default is <c>.data/{name}.db</c> under the content root. Null when it cannot be used.
    /// </summary>
    public static StoreSettings? Read(string name, string? connectionString, string contentRoot)
    {
        connectionString ??= $"Data Source={DefaultDirectory}/{name}.db";
        try
        {
            var parts = new DbConnectionStringBuilder { ConnectionString = connectionString };
            return parts.ContainsKey("Host") || parts.ContainsKey("Server")
                ? ReadPostgres(name, connectionString, contentRoot)
                : ReadSqlite(name, connectionString, contentRoot);
        }
        catch (Exception error) when (error is ArgumentException or FormatException or OverflowException)
        {
            return null;
        }
    }

    /// <summary>The problem of a connection string that <see cref="Read"/> cannot use, to follow the name of the setting.</summary>
    public static string Problem(string name) =>
        $"must be an SQLite connection string such as Data Source=.data/{name}.db, "
        + $"or one of PostgreSQL such as Host=db;Database={name};Username={name};Password=...";

    /// <summary>
    /// Creates the folder, and one below it if named, for this user only. Others could guess secrets or forge sessions with their content.
    /// </summary>
    /// <exception cref="SettingsException">It cannot be made there.</exception>
    public DirectoryInfo CreateDirectory(string? below = null)
    {
        try
        {
            // A folder with another name may be one that other programs use. The files in it are private in any case.
            var isOurs = Path.GetFileName(Directory) == DefaultDirectory;
            var folder = PrivateFiles.CreateDirectory(Directory, narrow: isOurs);
            // The mode is that of the last directory of a path only.
            return below is null ? folder : PrivateFiles.CreateDirectory(Path.Combine(Directory, below), narrow: true);
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            throw new SettingsException($"{Setting}: the directory of the store cannot be made: {error.Message}");
        }
    }

    /// <summary>The folder for keys of Data Protection, for this user only: that of a setting, or <c>keys</c> beside the store.</summary>
    /// <param name="setting">The name of the setting, for messages.</param>
    /// <param name="path">Its value. All replicas need the same folder.</param>
    /// <exception cref="SettingsException">It cannot be made there.</exception>
    public DirectoryInfo CreateKeyDirectory(string setting, string? path) =>
        path is null ? CreateDirectory("keys") : PrivateFiles.CreateKeyDirectory(setting, path);

    public override string ToString() => $"{Name} ({(IsPostgres ? "PostgreSQL" : "SQLite")})";

    private static StoreSettings? ReadPostgres(string name, string connectionString, string contentRoot)
    {
        var postgres = new NpgsqlConnectionStringBuilder(connectionString);
        return string.IsNullOrEmpty(postgres.Host) || string.IsNullOrEmpty(postgres.Database)
            ? null
            : new StoreSettings(name, connectionString, Path.GetFullPath(DefaultDirectory, contentRoot), IsPostgres: true);
    }

    private static StoreSettings? ReadSqlite(string name, string connectionString, string contentRoot)
    {
        var sqlite = new SqliteConnectionStringBuilder(connectionString);
        if (sqlite.DataSource.Length == 0) return null;
        sqlite.DataSource = Path.GetFullPath(sqlite.DataSource, contentRoot);
        return new StoreSettings(name, sqlite.ConnectionString, Path.GetDirectoryName(sqlite.DataSource)!, IsPostgres: false);
    }

    /// <summary>The SQLite file; null for PostgreSQL.</summary>
    public string? File => IsPostgres ? null : new SqliteConnectionStringBuilder(ConnectionString).DataSource;
}
