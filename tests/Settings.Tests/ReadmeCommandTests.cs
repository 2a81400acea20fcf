using System.Diagnostics;
using System.Text.RegularExpressions;
using WebRtcIms.Tests.Common;

namespace WebRtcIms.Settings.Tests;

/// <summary>
/// The commands of each README, as they stand there. Each runs in a shell and a network of its own, because the ports are fixed. There is
/// no registry of packages in that network, so <c>dotnet run</c> starts what was built with the tests.
/// </summary>
public sealed partial class ReadmeCommandTests : IDisposable
{
    private const string TurnServerOfTheWaf = "export Waf__TurnServers__0__Name=turn.example.org Waf__TurnServers__0__Kid=k1 "
        + "Waf__TurnServers__0__Key=$(openssl rand -base64 32)\n";

    // The first command, and what shows that it works. A block with a server that runs in the foreground ends when this is printed.
    private static readonly Dictionary<string, (string Start, string Result)[]> Runs = new()
    {
        ["README.md"] = [("OTEL_EXPORTER_OTLP_ENDPOINT=", @"listens on http://localhost:8080")],
        ["Waf/README.md"] =
        [
            (TurnServerOfTheWaf + "export Waf__Clients",
                @"""access_token"": ?""[^""]+"""),
            (TurnServerOfTheWaf + "export Waf__Initial",
                @"""client_secret"": ?""[^""]+"""),
        ],
        ["Wwsf/README.md"] = [("Wwsf__Waf__ClientSecret=", @"""code"":""waf_unavailable""")],
        ["Turn/README.md"] =
        [
            ("Turn__Keys__0__Kid=", "TURN listens on 127.0.0.1:3478"),
            ("secret=", @"^\d{10}:alice \S{28}$"),
        ],
        ["EpCscf/README.md"] = [("EpCscf__TokenKeys__0__Kid=", "listens on http://localhost:8084")],
        ["FlowView/README.md"] = [("dotnet run --project FlowView", "listens on http://localhost:4318")],
        ["WicWeb/README.md"] = [("dotnet run --project WicWeb", "listens on http://localhost:8080")],
        ["samples/README.md"] = [("export KEY=", @"^username: +k1~\S+")],
    };

    // The first command, and why it does not run here.
    private static readonly Dictionary<string, (string Start, string Reason)[]> Others = new()
    {
        ["README.md"] =
        [
            ("dotnet run --project AppHost     #", "HostTests starts the application, and CI runs the tests"),
            ("dotnet run --project AppHost -- --Parameters", "PublicAddressTests"),
        ],
        ["Waf/README.md"] =
        [
            ("ASPNETCORE_URLS=\"http://127.0.0.1:8081;https://", "needs certificates; MutualTlsTests and KeyDelivery tests"),
            ("dotnet run --project Waf -- help", "WafCommandTests"),
        ],
        ["Wwsf/README.md"] = [("Wwsf__OpenIdConnect__Authority=", "needs a provider; the end-to-end tests have one")],
        ["Turn/README.md"] = [("Turn__ListenAddress=", "Networks.Tests.ReadmeTests")],
        ["WicWeb/README.md"] = [("RENEWAL_MINUTES=", "a test that takes 15 minutes")],
        ["samples/README.md"] =
        [
            ("samples/waf-client.sh", "runs with the block before it"),
            ("dotnet pack Stun", "PackageTests"),
        ],
    };

    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(90);

    // Stands before the real dotnet in PATH, and takes itself out of it.
    private const string Dotnet = """
        #!/bin/sh
        PATH=${PATH#*:}
        [ "$1" = run ] || exec dotnet "$@"
        shift
        exec dotnet run --no-build -c CONFIGURATION "$@"
        """;

    // Such as Debug, as the tests were built.
    private static readonly string Configuration = new DirectoryInfo(AppContext.BaseDirectory).Parent!.Name;

    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("readme-");

    public void Dispose() => _folder.Delete(recursive: true);

    public static TheoryData<string, string> Commands() =>
        [.. Runs.SelectMany(file => file.Value.Select(run => new TheoryDataRow<string, string>(file.Key, run.Start)))];

    [Fact]
    public void EveryCommand_RunsHere_OrHasAReason()
    {
        string[] files = ["README.md", .. Directory.GetDirectories(Repository.Root)
            .Select(folder => Path.GetFileName(folder) + "/README.md").Where(file => File.Exists(Repository.PathOf(file)))];
        var unknown = from file in files.Order()
                      from block in BlocksOf(file)
                      where !(Runs.GetValueOrDefault(file) ?? []).Concat(Others.GetValueOrDefault(file) ?? [])
                          .Any(known => block.StartsWith(known.Start, StringComparison.Ordinal))
                      select $"{file}: {block}";

        Assert.Empty(unknown);
    }

    [Theory]
    [MemberData(nameof(Commands))]
    [Requirement("EXP-39")]
    [Requirement("EXP-41")]
    public async Task Command_WorksAsItStands(string file, string start)
    {
        RequireNetworks();
        var result = Runs[file].Single(run => run.Start == start).Result;
        var blocks = BlocksOf(file).SkipWhile(block => !block.StartsWith(start, StringComparison.Ordinal));
        // The samples are one session: the first block starts the servers.
        var script = string.Join('\n', blocks.Take(file.StartsWith("samples", StringComparison.Ordinal) ? 2 : 1));

        var output = await RunAsync(script, new Regex(result, RegexOptions.Multiline));

        Assert.Matches(new Regex(result, RegexOptions.Multiline), output);
    }

    private static IEnumerable<string> BlocksOf(string file) =>
        Block().Matches(File.ReadAllText(Repository.PathOf(file))).Select(block => block.Groups[1].Value);

    private static void RequireNetworks()
    {
        var reason = !OperatingSystem.IsLinux() ? "network namespaces need Linux"
            : !Environment.IsPrivilegedProcess ? "network namespaces need root" : null;
        if (reason is null) return;
        if (Environment.GetEnvironmentVariable("CI") is { Length: > 0 }) Assert.Fail(reason);
        Assert.Skip(reason);
    }

    /// <summary>The output until it matches, or until the script ends. Nothing of the script outlives this.</summary>
    private async Task<string> RunAsync(string script, Regex result)
    {
        // An answer of curl may not end its line.
        var start = new ProcessStartInfo(
            "setsid", ["unshare", "--net", "bash", "-c", $"ip link set lo up\n{script}\necho"])
        {
            WorkingDirectory = Repository.Root,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        var tools = _folder.CreateSubdirectory("bin").FullName;
        var dotnet = Path.Combine(tools, "dotnet");
        await File.WriteAllTextAsync(
            dotnet, Dotnet.Replace("CONFIGURATION", Configuration, StringComparison.Ordinal), TestContext.Current.CancellationToken);
        if (!OperatingSystem.IsWindows()) File.SetUnixFileMode(dotnet, UnixFileMode.UserRead | UnixFileMode.UserExecute);
        start.Environment["PATH"] = $"{tools}:{Environment.GetEnvironmentVariable("PATH")}";
        start.Environment["MSBUILDDISABLENODEREUSE"] = "1";
        foreach (var store in new[] { "waf", "wwsf" })
            start.Environment[$"ConnectionStrings__{store}"] = $"Data Source={_folder.FullName}/{store}.db";
        start.Environment["TMPDIR"] = _folder.FullName;
        using var shell = Process.Start(start)!;
        List<string> lines = [];
        using var met = new SemaphoreSlim(0);
        void Keep(object _, DataReceivedEventArgs line)
        {
            lock (lines) lines.Add(line.Data ?? "");
            if (line.Data is not null && result.IsMatch(line.Data)) met.Release();
        }

        shell.OutputDataReceived += Keep;
        shell.ErrorDataReceived += Keep;
        shell.BeginOutputReadLine();
        shell.BeginErrorReadLine();
        try
        {
            await Task.WhenAny(
                met.WaitAsync(TestContext.Current.CancellationToken), shell.WaitForExitAsync(TestContext.Current.CancellationToken),
                Task.Delay(Limit, TestContext.Current.CancellationToken));
        }
        finally
        {
            using var kill = Process.Start(
                new ProcessStartInfo("kill", ["-KILL", "--", $"-{shell.Id}"]) { RedirectStandardError = true })!;
            await kill.WaitForExitAsync(CancellationToken.None);
            await shell.WaitForExitAsync(CancellationToken.None);
        }

        lock (lines) return string.Join('\n', lines);
    }

    [GeneratedRegex("```sh\n(.*?)\n```", RegexOptions.Singleline)]
    private static partial Regex Block();
}
