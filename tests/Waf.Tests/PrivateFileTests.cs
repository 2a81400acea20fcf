using WebRtcIms.Tests.Common;

namespace WebRtcIms.Waf.Tests;

/// <summary>The modes of folders and files with data. Windows has no modes.</summary>
public sealed class PrivateFileTests : IDisposable
{
    private const UnixFileMode Owner = UnixFileMode.UserRead | UnixFileMode.UserWrite;
    private const UnixFileMode Everyone = (UnixFileMode)0b110_110_110;

    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("waf-tests-");

    public void Dispose() => _folder.Delete(recursive: true);

    [Fact]
    [Requirement("SEC-23")]
    public async Task FilesOfTheStore_AndKeys_AreForTheirUserOnly()
    {
        if (OperatingSystem.IsWindows()) return;
        using var app = Start(isPooled: true);
        (await new TokenRequest().SendAsync(app)).AssertOk();

        var files = _folder.GetFiles("*", SearchOption.AllDirectories);

        foreach (var name in (string[])["waf.db", "waf.db-wal", "waf.db-shm", "waf.migration"])
            Assert.Contains(name, files.Select(file => file.Name));
        Assert.Contains(files, file => file.Name.StartsWith("key-", StringComparison.Ordinal));
        Assert.All(files, file => Assert.Equal((file.Name, Owner), (file.Name, file.UnixFileMode & (Everyone | (UnixFileMode)0b111))));
        Assert.All(
            _folder.GetDirectories("*", SearchOption.AllDirectories),
            folder => Assert.Equal((folder.Name, Owner | UnixFileMode.UserExecute), (folder.Name, folder.UnixFileMode)));
    }

    [Fact]
    [Requirement("SEC-23")]
    public async Task ExistingFilesThatOthersCanRead_AreNarrowed()
    {
        if (OperatingSystem.IsWindows()) return;
        using (var first = Start()) (await new TokenRequest().SendAsync(first)).AssertOk();
        foreach (var file in _folder.GetFiles("waf.db*", SearchOption.AllDirectories)) file.UnixFileMode = Everyone;
        foreach (var folder in _folder.GetDirectories("*", SearchOption.AllDirectories)) folder.UnixFileMode = (UnixFileMode)0b111_101_101;

        using var app = Start();
        (await new TokenRequest().SendAsync(app)).AssertOk();

        Assert.All(
            _folder.GetFiles("waf.db*", SearchOption.AllDirectories),
            file => Assert.Equal((file.Name, Owner), (file.Name, file.UnixFileMode)));
        Assert.All(
            _folder.GetDirectories("*", SearchOption.AllDirectories),
            folder => Assert.Equal((folder.Name, Owner | UnixFileMode.UserExecute), (folder.Name, folder.UnixFileMode)));
    }

    /// <summary>Other programs may use it.</summary>
    [Fact]
    [Requirement("SEC-23")]
    public async Task FolderWithAnotherName_KeepsItsMode()
    {
        if (OperatingSystem.IsWindows()) return;
        var shared = _folder.CreateSubdirectory("shared");
        shared.UnixFileMode = (UnixFileMode)0b111_101_101;
        using var app = new WafApp().With("ConnectionStrings:waf", $"Data Source={shared.FullName}/waf.db;Pooling=false");

        (await new TokenRequest().SendAsync(app)).AssertOk();

        Assert.Equal((UnixFileMode)0b111_101_101, shared.UnixFileMode);
        Assert.All(shared.GetFiles("waf.db*"), file => Assert.Equal((file.Name, Owner), (file.Name, file.UnixFileMode)));
    }

    private WafApp Start(bool isPooled = false) => new WafApp().With("Waf:TurnServers:0:Key", "")
        .With("ConnectionStrings:waf", $"Data Source={_folder.FullName}/.data/waf.db" + (isPooled ? "" : ";Pooling=false"));
}
