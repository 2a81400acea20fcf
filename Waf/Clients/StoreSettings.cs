using Microsoft.Data.Sqlite;

namespace WebRtcIms.Waf.Clients;

/// <summary>Where the store is: <c>ConnectionStrings:waf</c>, or <c>.data/waf.db</c> under the content root.</summary>
internal sealed record StoreSettings(string ConnectionString, string Directory)
{
    /// <summary>Null when the text is no SQLite connection string.</summary>
    public static StoreSettings? Read(string? connectionString, IHostEnvironment environment)
    {
        try
        {
            var sqlite = new SqliteConnectionStringBuilder(connectionString ?? "Data Source=.data/waf.db");
            if (sqlite.DataSource.Length == 0) return null;
            sqlite.DataSource = Path.GetFullPath(sqlite.DataSource, environment.ContentRootPath);
            return new StoreSettings(sqlite.ConnectionString, Path.GetDirectoryName(sqlite.DataSource)!);
        }
        catch (ArgumentException)
        {
            return null;
        }
    }

    /// <summary>Makes the directory, for this user only: what is in it lets someone guess secrets at leisure.</summary>
    /// <exception cref="SettingsException">It cannot be made there.</exception>
    public void CreateDirectory()
    {
        try
        {
            if (OperatingSystem.IsWindows()) System.IO.Directory.CreateDirectory(Directory);
            else System.IO.Directory.CreateDirectory(Directory, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            throw new SettingsException($"ConnectionStrings:waf: the directory of the store cannot be made: {error.Message}");
        }
    }
}
