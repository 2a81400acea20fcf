using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using WebRtcIms.Tests.Common;

namespace WebRtcIms.AppHost.Tests;

/// <summary>A host as a program: what it says, how it ends, and that nothing outlives it.</summary>
[Collection(SampleSystem.Collection)]
public sealed partial class HostTests : IDisposable
{
    private readonly DirectoryInfo _secrets = Directory.CreateTempSubdirectory("webrtcims-apphost-");

    public void Dispose() => _secrets.Delete(recursive: true);

    [Theory]
    [InlineData("TERM")]
    [InlineData("INT")]
    public async Task Signal_StopsEverythingWithinFiveSeconds(string signal)
    {
        SkipOnWindows();
        await using var host = Start($"--first-port={FreePorts.Udp()}");
        await host.UntilAsync("is up: open");
        var services = Services(host);
        Assert.Equal(2, services.Count);

        var started = Stopwatch.GetTimestamp();
        Processes.Signal(host.Id, signal);
        var exitCode = await host.UntilExitAsync();

        Assert.True(Stopwatch.GetElapsedTime(started) < TimeSpan.FromSeconds(5));
        Assert.Equal(0, exitCode);
        Assert.DoesNotContain(services, Processes.IsAlive);
    }

    [Fact]
    public async Task SignalDuringStart_LeavesNothing()
    {
        SkipOnWindows();
        await using var host = Start($"--first-port={FreePorts.Udp()}", "--second:SAMPLE_HEALTHY_AFTER_MS=60000");
        await host.UntilAsync("second-one | sample process");

        Processes.Signal(host.Id, "TERM");

        Assert.Equal(0, await host.UntilExitAsync());
        Assert.DoesNotContain(Services(host), Processes.IsAlive);
    }

    [Fact]
    public async Task KilledHost_TakesItsServicesWithIt_AlsoStubbornOnes()
    {
        SkipOnWindows();
        await using var host = Start($"--first-port={FreePorts.Udp()}", "--second:SAMPLE_STUBBORN=true");
        await host.UntilAsync("is up: open");
        var services = Services(host);
        Assert.Equal(2, services.Count);

        Processes.Signal(host.Id, "KILL");

        // Their output ends with the last of them, so its end is what there is to wait for.
        await host.UntilExitAsync().WaitAsync(TimeSpan.FromSeconds(6), TestContext.Current.CancellationToken);
        await AllGoneAsync(services);
    }

    [Fact]
    public async Task CrashOfAService_IsSaid_AndTheRestStopsCleanly()
    {
        SkipOnWindows();
        await using var host = Start($"--first-port={FreePorts.Udp()}");
        await host.UntilAsync("is up: open");

        Processes.Signal(Services(host)[0], "KILL");
        await host.UntilAsync("first exited by itself with code 137.");
        Assert.True(Processes.IsAlive(Services(host)[1]));
        Processes.Signal(host.Id, "TERM");

        Assert.Equal(0, await host.UntilExitAsync());
        Assert.DoesNotContain(Services(host), Processes.IsAlive);
    }

    [Fact]
    public async Task FailedStart_SaysWhyAndExitsWithOne()
    {
        await using var host = Start($"--first-port={FreePorts.Udp()}", "--second:SAMPLE_EXIT_CODE=9");

        Assert.Equal(1, await host.UntilExitAsync());
        Assert.Contains("The sample does not want to start.", host.Output, StringComparison.Ordinal);
        Assert.Contains("WebRtcIms.SampleHost cannot start. second-one exited by itself with code 9.", host.Output, StringComparison.Ordinal);
        Assert.Single(Services(host));
        Assert.DoesNotContain(Services(host), Processes.IsAlive);
    }

    [Fact]
    public async Task PortInUse_IsOneSentenceBeforeAnythingStarts()
    {
        using var holder = new UdpClient(new IPEndPoint(IPAddress.Loopback, 0));
        var port = ((IPEndPoint)holder.Client.LocalEndPoint!).Port;
        await using var host = Start($"--first-port={port}");

        Assert.Equal(1, await host.UntilExitAsync());
        Assert.Equal(
            $"WebRtcIms.SampleHost cannot start. Port {port} (UDP), on which first is to listen, is in use already. Stop what uses it, or choose "
            + "another port: first-port (dotnet run --project AppHost -- --first-port=<port>).",
            host.Output);
    }

    [Fact]
    public async Task Output_HasALineForEachResource_ItsNameBeforeWhatItPrints_AndNoColors()
    {
        SkipOnWindows();
        await using var host = Start($"--first-port={FreePorts.Udp()}");
        await host.UntilAsync("is up: open");
        Processes.Signal(host.Id, "TERM");
        await host.UntilExitAsync();

        Assert.Matches("(?m)^redis      > up at 127.0.0.1:[0-9]+/tcp$", host.Output);
        Assert.Matches("(?m)^first      > up at http://localhost:[0-9]+, localhost:[0-9]+/udp$", host.Output);
        Assert.Matches("(?m)^first      \\| sample process [0-9]+$", host.Output);
        Assert.Matches("(?m)^second-one > up at http://localhost:[0-9]+$", host.Output);
        Assert.Matches("(?m)^WebRtcIms.SampleHost is up: open http://localhost:[0-9]+$", host.Output);
        Assert.DoesNotContain("\e", host.Output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task GeneratedSecret_IsKeptForTheNextStart_AndNeverPrinted()
    {
        SkipOnWindows();
        var made = await SecretAfterARunAsync();

        Assert.Equal(30, made.Length);
        Assert.Equal(made, await SecretAfterARunAsync());
    }

    private async Task<string> SecretAfterARunAsync()
    {
        await using var host = Start($"--first-port={FreePorts.Udp()}");
        await host.UntilAsync("is up: open");
        Processes.Signal(host.Id, "TERM");
        await host.UntilExitAsync();

        var file = Assert.Single(_secrets.GetFiles("*.json", SearchOption.AllDirectories));
        var secret = JsonNode.Parse(await File.ReadAllTextAsync(file.FullName))!["Parameters:made-secret"]!.GetValue<string>();
        Assert.DoesNotContain(secret, host.Output, StringComparison.Ordinal);
        if (!OperatingSystem.IsWindows()) Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, file.UnixFileMode);
        return secret;
    }

    private static async Task AllGoneAsync(IReadOnlyList<int> processes)
    {
        var limit = SampleSystem.Limit();
        while (processes.Any(Processes.IsAlive)) await Task.Delay(20, limit);
    }

    private HostProcess Start(params string[] arguments) => HostProcess.Start(typeof(Projects.SampleHost).Assembly, _secrets, arguments);

    /// <summary>The ids of all services that said theirs.</summary>
    private static IReadOnlyList<int> Services(HostProcess host) =>
        [.. SampleProcessLine().Matches(host.Output).Select(match => int.Parse(match.Groups[1].ValueSpan, CultureInfo.InvariantCulture))];

    [GeneratedRegex("sample process ([0-9]+)")]
    private static partial Regex SampleProcessLine();

    private static void SkipOnWindows() => Assert.SkipWhen(OperatingSystem.IsWindows(), "signals are a matter of Unix");
}
