using WebRtcIms.ServiceDefaults;

namespace WebRtcIms.Stores;

/// <summary>The files of a SQLite store, which only their user may read.</summary>
internal static class SqliteFiles
{
    /// <summary>
    /// Creates a SQLite file before SQLite does, which would let others read it, and narrows existing ones. SQLite gives the mode of the
    /// file to those that it makes beside it.
    /// </summary>
    public static void Protect(string path)
    {
        if (OperatingSystem.IsWindows()) return;
        try
        {
            PrivateFiles.Open(path, FileShare.ReadWrite | FileShare.Delete).Dispose();
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            // SQLite reports it with the name of the setting.
            return;
        }

        foreach (var file in (string[])[path, $"{path}-wal", $"{path}-shm"]) PrivateFiles.Narrow(file);
    }
}
