namespace WebRtcIms.Stores;

/// <summary>
/// Folders and files that only their user may read, whatever the umask is. They hold keys, hashes of secrets and users. Windows has the
/// rights of the profile folder.
/// </summary>
public static class PrivateFiles
{
    private const UnixFileMode OwnerFile = UnixFileMode.UserRead | UnixFileMode.UserWrite;
    private const UnixFileMode Owner = OwnerFile | UnixFileMode.UserExecute;

    /// <summary>Creates a folder.</summary>
    /// <param name="path">The folder.</param>
    /// <param name="narrow">Whether the rights of others are taken away from a folder that exists.</param>
    public static DirectoryInfo CreateDirectory(string path, bool narrow)
    {
        if (OperatingSystem.IsWindows()) return Directory.CreateDirectory(path);
        var folder = Directory.CreateDirectory(path, Owner);
        if (narrow) Narrow(path, folder.UnixFileMode, Owner);
        return folder;
    }

    /// <summary>Opens a file, or creates it.</summary>
    public static FileStream Open(string path, FileShare share)
    {
        var options = new FileStreamOptions { Mode = FileMode.OpenOrCreate, Access = FileAccess.ReadWrite, Share = share };
        if (!OperatingSystem.IsWindows()) options.UnixCreateMode = OwnerFile;
        return new FileStream(path, options);
    }

    /// <summary>
    /// Creates a SQLite file before SQLite does, which would let others read it, and narrows existing ones. SQLite gives the mode of the
    /// file to those that it makes beside it.
    /// </summary>
    internal static void ProtectSqlite(string path)
    {
        if (OperatingSystem.IsWindows()) return;
        try
        {
            Open(path, FileShare.ReadWrite | FileShare.Delete).Dispose();
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            // SQLite reports it with the name of the setting.
            return;
        }

        foreach (var file in (string[])[path, $"{path}-wal", $"{path}-shm"])
        {
            if (File.Exists(file)) Narrow(file, File.GetUnixFileMode(file), OwnerFile);
        }
    }

    // Only the owner may do it. A file of another user stays as that user wants it.
    private static void Narrow(string path, UnixFileMode mode, UnixFileMode allowed)
    {
        if (OperatingSystem.IsWindows() || (mode & ~allowed) == 0) return;
        try
        {
            File.SetUnixFileMode(path, mode & allowed);
        }
        catch (UnauthorizedAccessException)
        {
            Console.Error.WriteLine($"Others may read {path} (mode {Convert.ToString((int)mode, 8)}), and its mode cannot be changed.");
        }
    }
}
