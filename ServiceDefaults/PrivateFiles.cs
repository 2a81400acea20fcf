namespace WebRtcIms.ServiceDefaults;

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

    /// <summary>Creates the folder of Data Protection keys, or takes the rights of others away from it.</summary>
    /// <param name="setting">The name of the setting, for messages.</param>
    /// <param name="path">Its value. All replicas of the service need the same folder.</param>
    /// <exception cref="SettingsException">It cannot be made there.</exception>
    public static DirectoryInfo CreateKeyDirectory(string setting, string path)
    {
        try
        {
            return CreateDirectory(path, narrow: true);
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            throw new SettingsException($"{setting}: the directory cannot be made: {error.Message}");
        }
    }

    /// <summary>Opens a file, or creates it.</summary>
    public static FileStream Open(string path, FileShare share)
    {
        var options = new FileStreamOptions { Mode = FileMode.OpenOrCreate, Access = FileAccess.ReadWrite, Share = share };
        if (!OperatingSystem.IsWindows()) options.UnixCreateMode = OwnerFile;
        return new FileStream(path, options);
    }

    /// <summary>Takes the rights of others away from a file that exists.</summary>
    public static void Narrow(string file)
    {
        if (!OperatingSystem.IsWindows() && File.Exists(file)) Narrow(file, File.GetUnixFileMode(file), OwnerFile);
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
