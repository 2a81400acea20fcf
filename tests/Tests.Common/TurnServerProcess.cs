using System.Diagnostics;
using System.Globalization;

namespace WebRtcIms.Tests.Common;

/// <summary>
/// This project's TURN server on free ports of the loopback address. The test project references <c>Turn</c>, so that
/// <c>WebRtcIms.Turn.dll</c> is in the output folder of the tests.
/// </summary>
public sealed class TurnServerProcess : ServerProcess
{
    private TurnServerProcess(ProcessStartInfo start)
        : base(start)
    {
    }

    public int Port { get; private init; }

    /// <summary>The port for TLS and DTLS, if the settings name a certificate.</summary>
    public int TlsPort { get; private init; }

    public int ManagementPort { get; private init; }

    /// <summary>Starts the server and waits until it accepts connections.</summary>
    /// <param name="settings">Environment variables, such as <c>Turn__Realm</c>.</param>
    public static async Task<TurnServerProcess> StartAsync(params (string Name, string Value)[] settings)
    {
        var server = Launch(settings);
        var hasTls = settings.Any(setting => setting.Name == "Turn__TlsCertificate");
        await server.UntilUpAsync(async cancel =>
            await AcceptsAsync(server.Port, cancel) && (!hasTls || await AcceptsAsync(server.TlsPort, cancel)));
        return server;
    }

    /// <summary>Starts the server, waits until it has ended by itself, and returns the exit code and all output.</summary>
    public static async Task<(int ExitCode, string Output)> RunToEndAsync(params (string Name, string Value)[] settings)
    {
        await using var server = Launch(settings);
        return (await server.WaitForExitAsync(), server.Output);
    }

    /// <summary>Starts the server in a process that may open only so many files, and waits until it listens.</summary>
    public static async Task<TurnServerProcess> StartWithDescriptorsAsync(int descriptors, params (string Name, string Value)[] settings)
    {
        return await StartBehindAsync(
            [
                Tools.Require("prlimit", "util-linux"),
                string.Create(CultureInfo.InvariantCulture, $"--nofile={descriptors}:{descriptors}"),
                "dotnet",
            ],
            settings);
    }

    /// <summary>Starts the server by another program, whose last argument is <c>dotnet</c>, and waits until it listens.</summary>
    public static async Task<TurnServerProcess> StartBehindAsync(string[] program, params (string Name, string Value)[] settings)
    {
        var server = Launch(settings, program);
        try
        {
            await server.WaitForOutputAsync("Management listens on");
            return server;
        }
        catch
        {
            await server.DisposeAsync();
            throw;
        }
    }

    /// <summary>As <see cref="RunToEndAsync"/>, by another program.</summary>
    public static async Task<(int ExitCode, string Output)> RunToEndBehindAsync(
        string[] program, params (string Name, string Value)[] settings)
    {
        await using var server = Launch(settings, program);
        return (await server.WaitForExitAsync(), server.Output);
    }

    private static TurnServerProcess Launch((string Name, string Value)[] settings, params string[] program)
    {
        var (port, tlsPort, managementPort) = (FreePorts.TcpAndUdp(), FreePorts.TcpAndUdp(), FreePorts.Tcp());
        string[] command = [.. program.DefaultIfEmpty("dotnet"), Path.Combine(AppContext.BaseDirectory, "WebRtcIms.Turn.dll")];
        var start = Foreground.Of(command[0], command[1..]);
        start.Environment["Turn__Port"] = port.ToString(CultureInfo.InvariantCulture);
        start.Environment["Turn__TlsPort"] = tlsPort.ToString(CultureInfo.InvariantCulture);
        start.Environment["Turn__PeerPolicy"] = "AllowLoopback";
        start.Environment["ASPNETCORE_URLS"] = $"http://127.0.0.1:{managementPort}";
        foreach (var (name, value) in settings) start.Environment[name] = value;
        if (start.Environment["Turn__Port"] is { } chosen && int.TryParse(chosen, CultureInfo.InvariantCulture, out var given))
            port = given;
        return new TurnServerProcess(start) { Port = port, TlsPort = tlsPort, ManagementPort = managementPort };
    }
}
