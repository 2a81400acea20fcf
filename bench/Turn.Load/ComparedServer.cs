using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.Sockets;

namespace WebRtcIms.Turn.Load;

/// <summary>A server of the comparison, started for each scenario with the user <c>u</c> and the password <c>p</c>.</summary>
internal sealed class ComparedServer : IDisposable
{
    private static readonly TimeSpan StartLimit = TimeSpan.FromSeconds(20);

    private readonly Process _process;
    private readonly DirectoryInfo? _folder;

    private ComparedServer(ProcessStartInfo start, int port, DirectoryInfo? folder = null)
    {
        _folder = folder;
        Endpoint = new IPEndPoint(IPAddress.Loopback, port);
        start.RedirectStandardOutput = start.RedirectStandardError = true;
        _process = Process.Start(start)!;
        _process.OutputDataReceived += (_, _) => { };
        _process.ErrorDataReceived += (_, _) => { };
        _process.BeginOutputReadLine();
        _process.BeginErrorReadLine();
        WaitUntilItAccepts();
    }

    public IPEndPoint Endpoint { get; }

    public int ProcessId => _process.Id;

    /// <summary>The server of this project from this build.</summary>
    public static ComparedServer Own(string transport, params (string Name, string Value)[] settings)
    {
        var port = FreePort();
        var start = new ProcessStartInfo("dotnet", [Path.Combine(AppContext.BaseDirectory, "WebRtcIms.Turn.dll")]);
        foreach (var (name, value) in ((string, string)[])
        [
            ("Turn__Port", port.ToString(CultureInfo.InvariantCulture)),
            ("Turn__Transport", transport),
            ("Turn__StaticUsers__0__Name", "u"),
            ("Turn__StaticUsers__0__Password", "p"),
            ("Turn__PeerPolicy", "AllowLoopback"),
            ("Turn__ChallengesPerSecond", "0"),
            ("Turn__Quotas__PerClientAddress", "100000"),
            ("Turn__Quotas__PerUser", "100000"),
            ("Turn__Quotas__PerToken", "100000"),
            ("Turn__Quotas__Total", "100000"),
            ("Turn__Quotas__AllocatesPerMinuteOfToken", "100000000"),
            ("Turn__Quotas__AllocatesPerMinuteOfClientAddress", "100000000"),
            ("Turn__Quotas__PacketsPerSecond", "0"),
            ("Turn__Quotas__BytesPerSecond", "0"),
            ("Turn__Quotas__ClientAddressTraffic__PacketsPerSecond", "0"),
            ("Turn__Quotas__ClientAddressTraffic__BytesPerSecond", "0"),
            ("Turn__Quotas__WithoutGrant__PacketsPerSecond", "0"),
            ("Turn__Quotas__WithoutGrant__BytesPerSecond", "0"),
            ("Turn__RelayPorts__Min", "40000"),
            ("Turn__RelayPorts__Max", "59999"),
            ("ASPNETCORE_URLS", "http://127.0.0.1:0"),
            .. settings,
        ]) start.Environment[name] = value;
        return new ComparedServer(start, port);
    }

    /// <summary>coturn with its defaults, except for options that a test on one machine needs.</summary>
    public static ComparedServer Coturn()
    {
        var port = FreePort();
        var folder = Directory.CreateTempSubdirectory("coturn-");
        return new ComparedServer(
            new ProcessStartInfo("turnserver",
            [
                "-n", "--listening-ip=127.0.0.1", "--relay-ip=127.0.0.1", $"--listening-port={port}", "--no-tls", "--no-dtls", "--no-cli",
                "--lt-cred-mech", "--user=u:p", "--realm=r", "--allow-loopback-peers", "--min-port=40000", "--max-port=59999",
                "--no-stdout-log",
                $"--log-file={folder.FullName}/log", $"--pidfile={folder.FullName}/pid", $"--userdb={folder.FullName}/db",
            ]),
            port,
            folder);
    }

    public void Dispose()
    {
        _process.Kill();
        _process.WaitForExit();
        _process.Dispose();
        _folder?.Delete(recursive: true);
    }

    public static int FreePort()
    {
        using var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        socket.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        return ((IPEndPoint)socket.LocalEndPoint!).Port;
    }

    private void WaitUntilItAccepts()
    {
        var started = Stopwatch.StartNew();
        while (true)
        {
            try
            {
                using var connection = new TcpClient();
                connection.Connect(Endpoint);
                return;
            }
            catch (SocketException) when (started.Elapsed < StartLimit && !_process.HasExited)
            {
                Thread.Sleep(20);
            }
        }
    }
}
