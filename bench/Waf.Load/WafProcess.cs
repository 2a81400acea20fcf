using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Security.Cryptography;

namespace WebRtcIms.Waf.Load;

/// <summary>The compared servers.</summary>
internal static class ServerKind
{
    /// <summary>OpenIddict with its own signed tokens, and its default: a row for each token.</summary>
    public const string Stock = "OpenIddict";

    /// <summary>The same without rows for tokens, which is what the WAF does.</summary>
    public const string StockWithoutStorage = "OpenIddict, tokens not stored";

    /// <summary>The server of this project.</summary>
    public const string Waf = "WAF";
}

/// <summary>A server of the comparison, with a SQLite store in a folder of its own.</summary>
internal sealed class WafProcess : IDisposable
{
    public const string TurnServer = "turn.example";
    public const string InitialAccessToken = "bench-initial-access-token-with-enough-characters";

    private static readonly TimeSpan StartLimit = TimeSpan.FromSeconds(60);

    private readonly DirectoryInfo _folder;
    private readonly Process _process;

    private WafProcess(DirectoryInfo folder, Process process, int port, bool isStock)
    {
        (_folder, _process, IsStock) = (folder, process, isStock);
        Address = new Uri($"http://127.0.0.1:{port}/");
        process.OutputDataReceived += (_, _) => { };
        process.ErrorDataReceived += (_, error) =>
        {
            if (!string.IsNullOrEmpty(error.Data)) Console.Error.WriteLine(error.Data);
        };
        process.BeginOutputReadLine();
        process.BeginErrorReadLine();
    }

    public Uri Address { get; }

    public bool IsStock { get; }

    /// <summary>CPU time of all its threads so far, in microseconds, from the kernel. Threads that ended are not counted.</summary>
    public double CpuMicroseconds => Directory.EnumerateDirectories($"/proc/{_process.Id}/task").Sum(CpuOf) / 1000;

    public static async Task<WafProcess> StartAsync(string kind, string redis)
    {
        var (folder, port, isStock) = (Directory.CreateTempSubdirectory("waf-load-"), FreePort(), kind != ServerKind.Waf);
        var store = $"Data Source={Path.Combine(folder.FullName, "store.db")}";
        var start = isStock ? Stock(port, store, storesTokens: kind == ServerKind.Stock) : Own(port, store, redis);
        start.RedirectStandardOutput = start.RedirectStandardError = true;
        start.Environment["ASPNETCORE_ENVIRONMENT"] = "Production";
        start.Environment["AllowedHosts"] = "127.0.0.1;localhost";
        start.Environment["Logging__LogLevel__Default"] = "Warning";
        var server = new WafProcess(folder, Process.Start(start)!, port, isStock);
        await server.WaitUntilItAnswersAsync();
        return server;
    }

    public void Dispose()
    {
        _process.Kill();
        _process.WaitForExit();
        _process.Dispose();
        _folder.Delete(recursive: true);
    }

    private static ProcessStartInfo Stock(int port, string store, bool storesTokens) => new(
        "dotnet", [typeof(WafProcess).Assembly.Location, "stock", port.ToString(CultureInfo.InvariantCulture), store, $"{storesTokens}"]);

    private static ProcessStartInfo Own(int port, string store, string redis)
    {
        var start = new ProcessStartInfo("dotnet", [Path.Combine(AppContext.BaseDirectory, "WebRtcIms.Waf.dll")]);
        foreach (var (name, value) in new (string, string)[]
        {
            ("ASPNETCORE_URLS", $"http://127.0.0.1:{port}"),
            ("ConnectionStrings__waf", store),
            ("ConnectionStrings__redis", redis),
            ("Waf__Issuer", $"http://127.0.0.1:{port}/"),
            ("Waf__TokenRequestsPerMinute", "100000000"),
            ("Waf__TurnServers__0__Name", TurnServer),
            ("Waf__TurnServers__0__Kid", "bench"),
            ("Waf__TurnServers__0__Key", Convert.ToBase64String(RandomNumberGenerator.GetBytes(32))),
            ("Waf__InitialAccessTokens__0__Name", "bench"),
            ("Waf__InitialAccessTokens__0__Token", InitialAccessToken),
            ("Waf__InitialAccessTokens__0__Audiences__0", TurnServer),
        }) start.Environment[name] = value;
        return start;
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

    public static int FreePort()
    {
        using var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        socket.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        return ((IPEndPoint)socket.LocalEndPoint!).Port;
    }

    private async Task WaitUntilItAnswersAsync()
    {
        using var http = new HttpClient { BaseAddress = Address };
        var started = Stopwatch.StartNew();
        while (true)
        {
            try
            {
                using var _ = await http.GetAsync(new Uri(".well-known/oauth-authorization-server", UriKind.Relative));
                return;
            }
            catch (HttpRequestException) when (started.Elapsed < StartLimit && !_process.HasExited)
            {
                await Task.Delay(50);
            }
        }
    }
}
