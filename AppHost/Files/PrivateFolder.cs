namespace WebRtcIms.AppHost;

/// <summary>A folder that only this user may read. The services put databases, keys and certificates into it.</summary>
internal static class PrivateFolder
{
    private const UnixFileMode Owner = UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute;

    /// <summary>Creates it. If it exists and others may read it, their rights are taken away.</summary>
    public static void Create(string path)
    {
        if (OperatingSystem.IsWindows())
        {
            Directory.CreateDirectory(path);
            return;
        }

        var folder = Directory.CreateDirectory(path, Owner);
        // All users share a folder with the sticky bit, such as /tmp.
        var mode = folder.UnixFileMode;
        if ((mode & ~Owner) != 0 && !mode.HasFlag(UnixFileMode.StickyBit)) folder.UnixFileMode = mode & Owner;
    }
}
