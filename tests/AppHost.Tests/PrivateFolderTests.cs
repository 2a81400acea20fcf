using WebRtcIms.Tests.Common;

namespace WebRtcIms.AppHost.Tests;

public sealed class PrivateFolderTests : IDisposable
{
    private const UnixFileMode Owner = UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute;

    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("apphost-tests-");

    public void Dispose() => _folder.Delete(recursive: true);

    [Theory]
    [InlineData(null, Owner)]
    [InlineData((UnixFileMode)0b111_101_101, Owner)]
    // A folder for all users, such as /tmp.
    [InlineData((UnixFileMode)0b001_111_111_111, (UnixFileMode)0b001_111_111_111)]
    [Requirement("SEC-23")]
    public void Folder_IsForItsUserOnly(UnixFileMode? before, UnixFileMode after)
    {
        if (OperatingSystem.IsWindows()) return;
        var path = Path.Combine(_folder.FullName, ".data");
        if (before is { } mode) Directory.CreateDirectory(path).UnixFileMode = mode;

        PrivateFolder.Create(path);

        Assert.Equal(after, new DirectoryInfo(path).UnixFileMode);
    }
}
