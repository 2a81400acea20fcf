using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Security.Cryptography;
using System.Text;
using WebRtcIms.Contracts.RegistrationTokens;

namespace WebRtcIms.Sip.Load;

/// <summary>A server of the comparison. It creates tokens in the format of the server, and measures CPU time and memory.</summary>
internal sealed class SipServerProcess : IDisposable
{
    private const string Secret = "bench-secret-of-kamailio";

    private static readonly TimeSpan StartLimit = TimeSpan.FromSeconds(30);

    private readonly Process _process;
    private readonly FileInfo? _configuration;
    private readonly RegistrationTokenKey? _key;

    private SipServerProcess(
        string name, ProcessStartInfo start, int port, RegistrationTokenKey? key = null, FileInfo? configuration = null)
    {
        (Name, _key, _configuration) = (name, key, configuration);
        Address = new Uri($"ws://127.0.0.1:{port}/sip");
        start.RedirectStandardOutput = start.RedirectStandardError = true;
        _process = Process.Start(start)!;
        _process.OutputDataReceived += (_, _) => { };
        _process.ErrorDataReceived += (_, _) => { };
        _process.BeginOutputReadLine();
        _process.BeginErrorReadLine();
        WaitUntilItAccepts(port);
    }

    public string Name { get; }

    public Uri Address { get; }

    /// <summary>CPU time of all processes and threads so far, in microseconds.</summary>
    public double CpuMicroseconds => Processes().SelectMany(id => Directory.EnumerateDirectories($"/proc/{id}/task")).Sum(CpuOf) / 1000;

    /// <summary>Memory in kB, as proportional set size: memory that the processes of kamailio share counts once.</summary>
    public long Kilobytes => Processes().Sum(id => File.ReadLines($"/proc/{id}/smaps_rollup")
        .Where(line => line.StartsWith("Pss:", StringComparison.Ordinal))
        .Sum(line => long.Parse(new string([.. line.Where(char.IsAsciiDigit)]), CultureInfo.InvariantCulture)));

    /// <summary>The server of this project from this build, with bindings in memory and high limits.</summary>
    public static SipServerProcess Own(int subscribers)
    {
        var port = FreePort();
        var key = RandomNumberGenerator.GetBytes(RegistrationTokenKey.KeyLength);
        var start = new ProcessStartInfo("dotnet", [Path.Combine(AppContext.BaseDirectory, "WebRtcIms.EpCscf.dll")]);
        foreach (var (name, value) in new (string, string)[]
        {
            ("ASPNETCORE_ENVIRONMENT", "Production"),
            ("AllowedHosts", "127.0.0.1;localhost"),
            ("ASPNETCORE_URLS", $"http://127.0.0.1:{port}"),
            ("Logging__LogLevel__Default", "Warning"),
            ("EpCscf__HomeDomain", Domain),
            ("EpCscf__Waf", "waf"),
            ("EpCscf__TokenKeys__0__Kid", "k"),
            ("EpCscf__TokenKeys__0__Key", Convert.ToBase64String(key)),
            ("EpCscf__SessionsKeys__0", Convert.ToBase64String(RandomNumberGenerator.GetBytes(32))),
            ("EpCscf__Pools__0__Name", "u"),
            ("EpCscf__Pools__0__Size", subscribers.ToString(CultureInfo.InvariantCulture)),
            ("EpCscf__Pools__0__AllowedWafs__0", "waf"),
            ("EpCscf__Pools__0__AllowedWwsfs__0", "wwsf"),
            ("EpCscf__Limits__UnregisteredPerAddress", "10000"),
            ("EpCscf__Limits__Unregistered", "10000"),
            ("EpCscf__Limits__RegisteredPerAddress", "10000"),
            ("EpCscf__Limits__MessagesPerSecond", "1000000"),
            ("EpCscf__Limits__CallsPerMinute", "10000000"),
            ("EpCscf__Limits__DialogRequestsPerMinute", "10000000"),
            ("EpCscf__Limits__TransactionsPerSubscriber", "10000000"),
        }) start.Environment[name] = value;
        return new SipServerProcess("the eP-CSCF", start, port, new RegistrationTokenKey("k", key));
    }

    /// <summary>Debian's kamailio with kamailio.cfg.</summary>
    public static SipServerProcess Kamailio()
    {
        var port = FreePort();
        var configuration = new FileInfo(Path.GetTempFileName());
        var text = File.ReadAllText(Path.Combine(AppContext.BaseDirectory, "kamailio.cfg"));
        File.WriteAllText(
            configuration.FullName,
            text.Replace("PORT", $"{port}", StringComparison.Ordinal).Replace("SECRET", Secret, StringComparison.Ordinal));
        var start =
            new ProcessStartInfo(
                "kamailio", ["-f", configuration.FullName, "-DD", "-E", "-m", "2048", "-M", "64", "-Y", Path.GetTempPath()]);
        return new SipServerProcess("kamailio", start, port, configuration: configuration);
    }

    public const string Domain = "ims.example";

    public string Token(string user)
    {
        var expiry = TimeProvider.System.GetUtcNow().ToUnixTimeSeconds() + 3600;
        if (_key is null)
        {
            var text = string.Create(CultureInfo.InvariantCulture, $"{user}.{expiry}");
            return $"{text}.{Convert.ToHexStringLower(SHA256.HashData(Encoding.ASCII.GetBytes(Secret + text)))}";
        }

        return _key.Encrypt(new RegistrationToken
        {
            Issuer = "waf",
            Audience = $"sip:{Domain}",
            Impi = $"{user}@{Domain}",
            Impus = [$"sip:{user}@{Domain}"],
            Waf = "waf",
            Wwsf = "wwsf",
            IssuedAt = expiry - 3600,
            ExpiresAt = expiry,
            TokenId = Guid.NewGuid().ToString("N"),
            SessionId = $"session-{user}",
        });
    }

    public void Dispose()
    {
        // kamailio ends its children itself.
        using (var kill = Process.Start("kill", ["-TERM", $"{_process.Id}"])) kill.WaitForExit();
        if (!_process.WaitForExit(TimeSpan.FromSeconds(10))) _process.Kill(entireProcessTree: true);
        _process.WaitForExit();
        _process.Dispose();
        _key?.Dispose();
        _configuration?.Delete();
    }

    private IEnumerable<int> Processes() => Directory.EnumerateDirectories("/proc")
        .Select(path => int.TryParse(Path.GetFileName(path), CultureInfo.InvariantCulture, out var id) ? id : 0)
        .Where(id => id != 0 && (id == _process.Id || ParentOf(id) == _process.Id));

    private static int ParentOf(int id)
    {
        try
        {
            var stat = File.ReadAllText($"/proc/{id}/stat");
            return int.Parse(stat[(stat.LastIndexOf(')') + 2)..].Split(' ')[1], CultureInfo.InvariantCulture);
        }
        catch (IOException)
        {
            return 0;
        }
    }

    private static double CpuOf(string task)
    {
        try
        {
            return double.Parse(File.ReadAllText(Path.Combine(task, "schedstat")).Split(' ')[0], CultureInfo.InvariantCulture);
        }
        catch (IOException)
        {
            // The thread has just ended.
            return 0;
        }
    }

    private static int FreePort()
    {
        using var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        socket.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        return ((IPEndPoint)socket.LocalEndPoint!).Port;
    }

    private void WaitUntilItAccepts(int port)
    {
        var started = Stopwatch.StartNew();
        while (true)
        {
            try
            {
                using var connection = new TcpClient();
                connection.Connect(IPAddress.Loopback, port);
                return;
            }
            catch (SocketException) when (started.Elapsed < StartLimit && !_process.HasExited)
            {
                Thread.Sleep(20);
            }
        }
    }
}
