using WebRtcIms.Tests.Common;

namespace WebRtcIms.Interop.Tests.Systemd;

/// <summary>What <c>deploy/systemd/install</c> puts on a machine, in a temporary folder (<c>DESTDIR</c>).</summary>
internal sealed class Installation : IDisposable
{
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("systemd-");

    private string Published => Path.Combine(_folder.FullName, "published");

    private string Root => Path.Combine(_folder.FullName, "root");

    /// <summary>A file or folder of the machine, such as <c>/etc/webrtcims</c>.</summary>
    public string PathOf(string path) => $"{Root}{path}";

    public string UnitOf(string part) => PathOf($"/etc/systemd/system/webrtcims-{part}.service");

    public string SettingsOf(string part) => PathOf($"/etc/webrtcims/{part}.env");

    /// <summary>The folder that the part may write to.</summary>
    public string StateOf(string part) => PathOf($"/var/lib/webrtcims/{part}");

    /// <summary>Takes the outputs of the build for what <c>dotnet publish</c> makes.</summary>
    public void PublishBuilt()
    {
        foreach (var (part, project) in Parts.Projects)
        {
            var folder = Directory.CreateDirectory(Path.Combine(Published, part)).FullName;
            // The pages are built beside the project. `dotnet publish` puts them beside the program.
            var built = Directory.GetFileSystemEntries(Parts.OutputOf(project));
            foreach (var item in built.Append(Repository.PathOf(project, "wwwroot")).Where(Path.Exists))
                File.CreateSymbolicLink(Path.Combine(folder, Path.GetFileName(item)), item);
        }
    }

    /// <summary>Programs that only exist.</summary>
    public void PublishEmpty(string content)
    {
        foreach (var (part, project) in Parts.Projects)
        {
            var folder = Directory.CreateDirectory(Path.Combine(Published, part)).FullName;
            var program = Path.Combine(folder, $"WebRtcIms.{project}");
            File.WriteAllText(program, content);
            if (!OperatingSystem.IsWindows()) File.SetUnixFileMode(program, File.GetUnixFileMode(program) | UnixFileMode.UserExecute);
        }
    }

    public async Task InstallAsync(string origin, params string[] parts)
    {
        var installed = await Command.RunAsync(
            "sh", [Repository.PathOf("deploy", "systemd", "install"), Published, origin, "example.org", "127.0.0.1", .. parts],
            limit: null, ("DESTDIR", Root));
        Assert.True(installed.ExitCode == 0, installed.Output);
    }

    /// <summary>For root, the user 1654 stands for those of all parts: it gets what they have on a machine.</summary>
    public async Task GiveToPartsAsync()
    {
        foreach (var part in Parts.Projects.Keys) Directory.CreateDirectory(StateOf(part));
        if (Environment.UserName != "root") return;
        var given = await Command.RunAsync(
            "sh", ["-c", $"chmod 711 '{_folder.FullName}' && chown -R 1654 '{PathOf("/var/lib/webrtcims")}'"]);
        Assert.True(given.ExitCode == 0, given.Output);
    }

    public void Dispose() => _folder.Delete(recursive: true);
}
