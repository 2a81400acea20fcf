using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using WebRtcIms.Tests.Common;

namespace WebRtcIms.AppHost.Tests;

/// <summary>Runs the application host as a program: its output, its exit codes, and that no process outlives it.</summary>
[Collection(RunningHosts.Collection)]
public sealed class HostTests : IDisposable
{
    private static readonly TimeSpan StopLimit = TimeSpan.FromSeconds(15);

    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("webrtcims-apphost-");

    public void Dispose() => _folder.Delete(recursive: true);

    [Fact]
    public async Task Signals_LeaveNothingBehindAfterFifteenSeconds_AndTheNextStartHasTheSameSecrets()
    {
        SkipOnWindows();
        var made = await SecretsAfterARunAsync(endedBy: "TERM");

        string[] expected = ["epcscf-flow-token-key", "wwsf-initial-access-token", "redis-password"];
        Assert.Superset(expected.Select(name => $"Parameters:{name}").ToHashSet(), made.Keys.ToHashSet());
        Assert.Equal(made, await SecretsAfterARunAsync(endedBy: "INT"));
    }

    [Fact]
    [Requirement("EXP-45")]
    public async Task LastLines_NamePageAccountsLadderAndDashboard_OnlyWhereTheyAre()
    {
        SkipOnWindows();
        await using (var host = Start())
        {
            await host.UntilAsync("Stop:        Ctrl+C");
            var lines = Regex.Match(
                host.Output,
                @"^WebRtcIms is up: open (?<page>http://localhost:\d+)\n"
                + @"Accounts:    alice \(alice-calls-bob\), bob \(bob-calls-alice\), or continue as guest\n"
                + @"Call ladder: \k<page>/flow/\nDashboard:   (?<dashboard>http://localhost:\d+/login\?t=\w+)\nStop:        Ctrl\+C$",
                RegexOptions.Multiline);
            Assert.True(lines.Success, host.Output);
            using var client = new HttpClient();
            var (page, dashboard) = (lines.Groups["page"].Value, lines.Groups["dashboard"].Value);
            foreach (var link in new[] { page, $"{page}/flow/", dashboard })
            {
                using var answer = await client.GetAsync(new Uri(link), TestContext.Current.CancellationToken);
                Assert.Equal(HttpStatusCode.OK, answer.StatusCode);
            }
        }

        await using var other = StartWith("WicWeb__Flow", "Off");
        await other.UntilAsync("Stop:        Ctrl+C");
        Assert.DoesNotContain("Call ladder:", other.Output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task PartThatCannotStart_IsNamedOnTheConsoleWithItsReason()
    {
        SkipOnWindows();
        await using var host = StartWith("WicWeb__Flow", "Sometimes");

        await host.UntilAsync("wic-web ended with exit code 1 before the application was up.");
        await host.UntilAsync("WicWeb:Flow must be one of Off, Local, Token, OpenIdConnect, not 'Sometimes'");
        Assert.DoesNotContain("is up: open", host.Output, StringComparison.Ordinal);
    }

    [Fact]
    [Requirement("EXP-11")]
    public async Task KilledHost_TakesItsServicesWithIt()
    {
        SkipOnWindows();
        await using var host = Start();
        await host.UntilAsync("is up: open");
        var services = ServiceProcesses();
        Assert.Equal(7, services.Count);
        // A debugger finds each service by this name.
        var launch = await File.ReadAllTextAsync(Repository.PathOf(".vscode", "launch.json"), TestContext.Current.CancellationToken);
        Assert.Subset(
            services.Select(id => Processes.ProgramOf(id)!).ToHashSet(),
            JsonNode.Parse(launch)!["configurations"]!.AsArray().Select(entry => (string?)entry!["processName"])
                .OfType<string>().ToHashSet());

        Processes.Signal(host.Id, "KILL");

        await Processes.UntilGoneAsync(services);
    }

    [Fact]
    public async Task ProfileHttps_ServesTheDashboardOverHttps_WithTheDevelopmentCertificate()
    {
        SkipOnWindows();
        // A home of its own: the certificate of the test is not put among the user's.
        var home = new Dictionary<string, string> { ["HOME"] = _folder.FullName, ["DOTNET_CLI_HOME"] = _folder.FullName };
        await MakeDevelopmentCertificateAsync(home);
        await using var host =
            HostProcess.Start(typeof(Projects.AppHost).Assembly, _folder, "https", home, $"--data-directory={_folder.FullName}");
        await host.UntilAsync("is up: open http://localhost:");
        var dashboard =
            new Uri(host.Output.Split('\n').Select(line => line.Trim())
            .Single(line => line.StartsWith("Now listening on: https://", StringComparison.Ordinal))["Now listening on: ".Length..].Split(
                ';')[0]);

        using var trusting =
            new HttpClientHandler
            {
                ServerCertificateCustomValidationCallback =
                HttpClientHandler.DangerousAcceptAnyServerCertificateValidator
            };
        using var client = new HttpClient(trusting);
        Assert.Equal(HttpStatusCode.OK,
            (await client.GetAsync(new Uri(dashboard, "/login"), TestContext.Current.CancellationToken)).StatusCode);
    }

    [Theory]
    [InlineData(ProtocolType.Udp)]
    [InlineData(ProtocolType.Tcp)]
    public async Task PortInUse_IsOneSentenceThatNamesTheSetting(ProtocolType protocol)
    {
        using var holder =
            new Socket(AddressFamily.InterNetwork, protocol == ProtocolType.Udp ? SocketType.Dgram : SocketType.Stream, protocol);
        // The host checks the port for both protocols. An ephemeral port of one may be a connection of another test in the other.
        var port = FreePorts.TcpAndUdp();
        holder.Bind(new IPEndPoint(IPAddress.Loopback, port));
        if (protocol == ProtocolType.Tcp) holder.Listen();

        await AssertRefusedAsync(
            $"Port {port} ({protocol.ToString().ToUpperInvariant()}), on which turn is to listen, is in use. Stop the program that uses "
            + $"it, or choose "
            + "another port: turn-port (dotnet run --project AppHost -- --turn-port=<port>).",
            $"--turn-port={port.ToString(CultureInfo.InvariantCulture)}");
    }

    [Theory]
    [InlineData("--turn-port=0", "turn-port must be a port from 1 to 65535; it is '0'.")]
    [InlineData("--turn-port=many", "turn-port must be a port from 1 to 65535; it is 'many'.")]
    [InlineData("--redis=docker", "redis must be 'garnet' or 'container'; it is 'docker'.")]
    [InlineData("--stores=mysql", "stores must be 'sqlite' or 'postgres'; it is 'mysql'.")]
    [InlineData("--replicas=4", "replicas must be a number from 1 to 3; it is '4'.")]
    [InlineData("--replicas=two", "replicas must be a number from 1 to 3; it is 'two'.")]
    public Task WrongSetting_IsOneSentenceThatNamesIt(string argument, string sentence) => AssertRefusedAsync(sentence, argument);

    private static async Task MakeDevelopmentCertificateAsync(Dictionary<string, string> home)
    {
        var start = new ProcessStartInfo("dotnet", ["dev-certs", "https"]) { RedirectStandardOutput = true, RedirectStandardError = true };
        foreach (var (name, value) in home) start.Environment[name] = value;
        using var make = Process.Start(start)!;
        await make.WaitForExitAsync(TestContext.Current.CancellationToken);
        Assert.Equal(0, make.ExitCode);
    }

    private async Task AssertRefusedAsync(string sentence, params string[] arguments)
    {
        await using var host = Start(arguments);

        Assert.Equal(1, await host.WaitForExitAsync());
        Assert.EndsWith($"WebRtcIms cannot start. {sentence}", host.Output, StringComparison.Ordinal);
        Assert.DoesNotContain("   at ", host.Output, StringComparison.Ordinal);
        Assert.Empty(ServiceProcesses());
    }

    // The generated secrets, which were never printed.
    private async Task<Dictionary<string, string>> SecretsAfterARunAsync(string endedBy)
    {
        await using var host = Start();
        await host.UntilAsync("is up: open");
        var services = ServiceProcesses();
        Assert.Equal(7, services.Count);

        var started = Stopwatch.GetTimestamp();
        Processes.Signal(host.Id, endedBy);
        Assert.Equal(0, await host.WaitForExitAsync());
        await Processes.UntilGoneAsync(services);
        Assert.True(Stopwatch.GetElapsedTime(started) < StopLimit, $"{Stopwatch.GetElapsedTime(started)}");

        var file = _folder.GetFiles("secrets.json", SearchOption.AllDirectories).Single();
        if (!OperatingSystem.IsWindows()) Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, file.UnixFileMode);
        var secrets = JsonNode.Parse(await File.ReadAllTextAsync(file.FullName, TestContext.Current.CancellationToken))!.AsObject()
            .Where(entry => entry.Key.StartsWith("Parameters:", StringComparison.Ordinal))
            .ToDictionary(entry => entry.Key, entry => entry.Value!.GetValue<string>());
        Assert.All(secrets.Values, secret => Assert.DoesNotContain(secret, host.Output, StringComparison.Ordinal));
        return secrets;
    }

    private HostProcess Start(params string[] arguments) =>
        HostProcess.Start(typeof(Projects.AppHost).Assembly, _folder, [$"--data-directory={_folder.FullName}", .. arguments]);

    private HostProcess StartWith(string variable, string value) => HostProcess.Start(
        typeof(Projects.AppHost).Assembly, _folder, "http", new Dictionary<string, string> { [variable] = value },
        $"--data-directory={_folder.FullName}");

    /// <summary>The processes of services that this test's host has started: the user secrets' folder is in their environment.</summary>
    private IReadOnlyList<int> ServiceProcesses() =>
        [.. HostProcess.Family(_folder)
            .Where(process => Processes.ProgramOf(process) is { } program && program.StartsWith("WebRtcIms.", StringComparison.Ordinal))];

    private static void SkipOnWindows() => Assert.SkipWhen(OperatingSystem.IsWindows(), "signals are a matter of Unix");
}

/// <summary>Tests that run a whole application run one after another: each is seven processes.</summary>
internal static class RunningHosts
{
    public const string Collection = "running hosts";
}
