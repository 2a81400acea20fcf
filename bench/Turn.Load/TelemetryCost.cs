using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.Http.Json;
using System.Net.Sockets;
using System.Security.Cryptography;
using System.Text.Json;
using WebRtcIms.Turn.Client;
using WebRtcIms.Turn.Client.Protocol;

namespace WebRtcIms.Turn.Load;

/// <summary>
/// Measures the cost of telemetry. The services run twice at the same time: one set exports spans and logs to a collector, the other
/// exports nothing. They are loaded in turn (A B A B). The cost is CPU time for each call set-up (a TURN token from the WWSF and the
/// WAF, and an Allocate with it) and for each relayed datagram. The time that a full FlowView needs to list traces is also measured.
/// </summary>
internal static class TelemetryCost
{
    // Tiered compilation optimizes code after many calls. Without a warm-up the compiler's own CPU time would be measured.
    private const int CallsOfWarmUp = 3000;
    private const int PacketsOfWarmUp = 200_000;

    // Exporters send twice a second. After this time the spans of a block are sent, and their cost is part of the measurement.
    private static readonly TimeSpan Settle = TimeSpan.FromMilliseconds(800);

    /// <param name="args"><c>--rounds 6 --calls 500 --packets 200000</c>.</param>
    public static async Task RunAsync(string[] args)
    {
        var rounds = Argument(args, "--rounds", 6);
        using var sink = new Sink();
        var collector = new (string, string)[] { ("FlowView__Endpoint", sink.Address) };
        var none = new (string, string)[] { ("OTEL_TRACES_SAMPLER", "always_off") };
        Console.WriteLine("| | off | on | on/off of all rounds | median | of the rounds |");
        Console.WriteLine("|---|---|---|---|---|---|");

        using (var redis = new Services())
        {
            var port = Services.FreePort();
            redis.Start(
                new ProcessStartInfo("redis-server", ["--port", $"{port}", "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]),
                port);
            using var off = new Services();
            using var on = new Services();
            await using var withNone = await CallSystem.StartAsync(off, port, none);
            await using var withAll = await CallSystem.StartAsync(on, port, collector);
            foreach (var system in new[] { withNone, withAll }) await system.CallAsync(CallsOfWarmUp);
            var calls = Argument(args, "--calls", 500);
            List<double> offs = [], ons = [];
            for (var round = 0; round < rounds; round++)
            {
                offs.Add(await MeasureAsync(off, withNone, calls));
                ons.Add(await MeasureAsync(on, withAll, calls));
            }
            Print("CPU of WWSF, WAF and TURN for a call set-up, µs", offs, ons);
        }

        var packets = Argument(args, "--packets", 200_000);
        using var silent = ComparedServer.Own("Auto", none);
        using var exporting = ComparedServer.Own("Auto", collector);
        using var silentLoad = Load(silent);
        using var exportingLoad = Load(exporting);
        await Task.Delay(Settle);
        var spansBefore = sink.TraceOctets;
        List<double> withoutSpans = [], withSpans = [];
        for (var round = 0; round < rounds; round++)
        {
            withoutSpans.Add(silentLoad.Relay(packets).CpuMicroseconds);
            withSpans.Add(exportingLoad.Relay(packets).CpuMicroseconds);
        }
        await Task.Delay(Settle);
        Print("CPU of TURN for a relayed datagram, µs", withoutSpans, withSpans);
        Console.WriteLine($"\nOctets of spans sent while {rounds * packets} datagrams were relayed: {sink.TraceOctets - spansBefore}\n");
        await MeasureListAsync();
    }

    /// <summary>Measures the time that a full FlowView needs to list traces.</summary>
    private static async Task MeasureListAsync()
    {
        const int spansAtOnce = 1000, times = 30;
        using var services = new Services();
        var port = Services.FreePort();
        services.Start("FlowView", port, ("ASPNETCORE_URLS", $"http://127.0.0.1:{port}"));
        using var client = new HttpClient { BaseAddress = new Uri($"http://127.0.0.1:{port}") };
        for (var sent = 0; sent < 110_000; sent += spansAtOnce)
        {
            using var body = new StringContent(Spans(sent, spansAtOnce), System.Text.Encoding.UTF8, "application/json");
            using var answer = await client.PostAsync("/v1/traces", body);
            answer.EnsureSuccessStatusCode();
        }

        Console.WriteLine("| FlowView, 100 000 spans in 10 000 traces | median, ms | worst, ms |");
        Console.WriteLine("|---|---|---|");
        foreach (var query in new[] { "?other=true", "?other=true&attribute=number%3D4711", "?other=true&outcome=failed" })
        {
            var took = new List<double>();
            for (var i = 0; i < times; i++)
            {
                var watch = Stopwatch.StartNew();
                _ = await client.GetByteArrayAsync("/flow/api/traces" + query);
                took.Add(watch.Elapsed.TotalMilliseconds);
            }
            Console.WriteLine(
                string.Create(CultureInfo.InvariantCulture, $"| `GET /flow/api/traces{query}` | {Median(took):0} | {took.Max():0} |"));
        }
        Console.WriteLine(
            $"\nResident memory of FlowView: {services.ResidentKilobytes() / 1024} MB\n{await client.GetStringAsync("/flow/api/usage")}");
    }

    /// <summary>OTLP/JSON with ten spans in each trace and three attributes in each span.</summary>
    private static string Spans(int first, int count) =>
        """{"resourceSpans":[{"resource":{"attributes":[{"key":"service.name","value":{"stringValue":"turn"}}]},"scopeSpans":[{"scope":{"name":"bench"},"spans":["""
        + string.Join(',', Enumerable.Range(first, count).Select(number => """{"traceId":"TRACE","spanId":"SPAN","name":"turn allocate","kind":2,"startTimeUnixNano":"START","endTimeUnixNano":"END","attributes":[{"key":"number","value":{"intValue":"NUMBER"}},{"key":"turn.kid","value":{"stringValue":"k1"}},{"key":"network.transport","value":{"stringValue":"udp"}}],"status":{"code":STATUS}}"""
            .Replace("TRACE", ((number / 10) + 1).ToString("x32", CultureInfo.InvariantCulture), StringComparison.Ordinal)
            .Replace("SPAN", (number + 1).ToString("x16", CultureInfo.InvariantCulture), StringComparison.Ordinal)
            .Replace("START", $"{1_800_000_000_000_000_000 + (number * 1000L)}", StringComparison.Ordinal)
            .Replace("END", $"{1_800_000_000_005_000_000 + (number * 1000L)}", StringComparison.Ordinal)
            .Replace("NUMBER", $"{number}", StringComparison.Ordinal)
            .Replace("STATUS", number % 1000 == 0 ? "2" : "1", StringComparison.Ordinal)))
        + "]}]}]}";

    private static async Task<double> MeasureAsync(Services services, CallSystem system, int calls)
    {
        var before = services.CpuMicroseconds();
        await system.CallAsync(calls);
        await Task.Delay(Settle);
        return (services.CpuMicroseconds() - before) / calls;
    }

    private static LoadRun Load(ComparedServer server)
    {
        var run = new LoadRun(new LoadOptions { Server = server.Endpoint, ProcessId = server.ProcessId });
        run.SetUp();
        run.Relay(PacketsOfWarmUp);
        return run;
    }

    private static void Print(string what, List<double> off, List<double> on)
    {
        var ratios = off.Zip(on, (one, other) => other / one).Order().ToList();
        Console.WriteLine(string.Create(
            CultureInfo.InvariantCulture,
            $"| {what} | {off.Average():0.00} | {on.Average():0.00} | {on.Sum() / off.Sum():0.000} | {Median(ratios):0.000} | " +
            $"{ratios[0]:0.000} to {ratios[^1]:0.000} |"));
    }

    private static double Median(List<double> values)
    {
        var sorted = values.Order().ToList();
        return (sorted[(sorted.Count - 1) / 2] + sorted[sorted.Count / 2]) / 2;
    }

    private static int Argument(string[] args, string name, int fallback) =>
        Array.IndexOf(args, name) is >= 0 and var index && index + 1 < args.Length
            ? int.Parse(args[index + 1], CultureInfo.InvariantCulture) : fallback;

    /// <summary>Processes of this run, which end with it.</summary>
    private sealed class Services : IDisposable
    {
        private readonly List<Process> _processes = [];

        public static int FreePort()
        {
            using var listener = new TcpListener(IPAddress.Loopback, 0);
            listener.Start();
            return ((IPEndPoint)listener.LocalEndpoint).Port;
        }

        /// <summary>Starts a part of this system in the folder of its appsettings.json.</summary>
        public void Start(string part, int port, params IEnumerable<(string Name, string Value)> settings)
        {
            var folder = Path.GetFullPath($"{part}/bin/Release/net10.0");
            Start(new ProcessStartInfo("dotnet", [Path.Combine(folder, $"WebRtcIms.{part}.dll")]) { WorkingDirectory = folder }, port,
                settings);
        }

        /// <summary>Starts a program and waits until it listens.</summary>
        public void Start(ProcessStartInfo start, int port, params IEnumerable<(string Name, string Value)> settings)
        {
            start.RedirectStandardOutput = start.RedirectStandardError = true;
            start.Environment["AllowedHosts"] = "127.0.0.1;localhost";
            foreach (var (name, value) in settings) start.Environment[name] = value;
            var process = Process.Start(start)!;
            var output = new List<string?>();
            process.OutputDataReceived += (_, line) => Keep(line.Data);
            process.ErrorDataReceived += (_, line) => Keep(line.Data);
            process.BeginOutputReadLine();
            process.BeginErrorReadLine();
            _processes.Add(process);
            for (var watch = Stopwatch.StartNew(); !Accepts(port); Thread.Sleep(50))
            {
                if (process.HasExited || watch.Elapsed > TimeSpan.FromSeconds(60))
                    throw new InvalidOperationException(
                        $"{start.FileName} {string.Join(' ', start.ArgumentList)} did not start:\n{string.Join('\n', output)}");
            }

            void Keep(string? line)
            {
                lock (output) output.Add(line);
            }
        }

        // CPU time of whole processes, in steps of 10 ms. A sum over the existing threads would shrink when a thread of the pool ends.
        public double CpuMicroseconds() => _processes.Sum(process =>
        {
            process.Refresh();
            return process.TotalProcessorTime.TotalMicroseconds;
        });

        public long ResidentKilobytes() => _processes.Sum(process => ServerProcess.ResidentKilobytes(process.Id));

        public void Dispose()
        {
            foreach (var process in _processes)
            {
                process.Kill();
                process.WaitForExit();
                process.Dispose();
            }
        }

        private static bool Accepts(int port)
        {
            try
            {
                using var connection = new TcpClient("127.0.0.1", port);
                return true;
            }
            catch (SocketException)
            {
                return false;
            }
        }
    }

    /// <summary>WAF, WWSF and TURN with their own key, and a client that acts as a page.</summary>
    private sealed class CallSystem : IAsyncDisposable
    {
        private const string ServerName = "turn.webrtcims.local";

        private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("telemetry-cost-");
        private readonly HttpClient _page =
            new(new SocketsHttpHandler { CookieContainer = new CookieContainer(), ActivityHeadersPropagator = null });
        private readonly int _turnPort = Services.FreePort();

        public static async Task<CallSystem> StartAsync(Services services, int redis, (string, string)[] telemetry)
        {
            var system = new CallSystem();
            var (waf, wwsf, management) = (Services.FreePort(), Services.FreePort(), Services.FreePort());
            var (key, secret) =
                (Convert.ToBase64String(RandomNumberGenerator.GetBytes(32)), Convert.ToHexString(RandomNumberGenerator.GetBytes(32)));
            (string, string)[] common =
                [.. telemetry, ("ASPNETCORE_ENVIRONMENT", "Development"), ("ConnectionStrings__redis", $"127.0.0.1:{redis}")];
            services.Start("Waf", waf, [.. common,
                ("ASPNETCORE_URLS", $"http://127.0.0.1:{waf}"), ("ConnectionStrings__waf", $"Data Source={system._folder.FullName}/waf.db"),
                ("Waf__TurnServers__0__Name", ServerName), ("Waf__TurnServers__0__Kid", "k1"), ("Waf__TurnServers__0__Key", key),
                ("Waf__Clients__0__ClientId", "wwsf"), ("Waf__Clients__0__ClientSecret", secret),
                ("Waf__Clients__0__Audiences__0", ServerName), ("Waf__Issuer", "https://waf.example.org/"),
                ("Waf__TokenRequestsPerMinute", "1000000"),
                ("Waf__GuestTraffic__PacketsPerSecond", "0"), ("Waf__GuestTraffic__BytesPerSecond", "0")]);
            services.Start("Turn", management, [.. common,
                ("ASPNETCORE_URLS", $"http://127.0.0.1:{management}"), ("Turn__Port", $"{system._turnPort}"),
                ("Turn__PeerPolicy", "AllowLoopback"),
                ("Turn__ServerName", ServerName), ("Turn__Keys__0__Kid", "k1"), ("Turn__Keys__0__Key", key),
                ("Turn__ChallengesPerSecond", "0"), ("Turn__Quotas__PerUser", "100000"), ("Turn__Quotas__PerClientAddress", "100000"),
                ("Turn__Quotas__AllocatesPerMinuteOfToken", "100000000"),
                ("Turn__Quotas__AllocatesPerMinuteOfClientAddress", "100000000"),
                ("Turn__Quotas__PacketsPerSecond", "0"), ("Turn__Quotas__BytesPerSecond", "0"),
                ("Turn__Quotas__ClientAddressTraffic__PacketsPerSecond", "0"),
                ("Turn__Quotas__ClientAddressTraffic__BytesPerSecond", "0")]);
            services.Start("Wwsf", wwsf, [.. common,
                ("ASPNETCORE_URLS", $"http://127.0.0.1:{wwsf}"),
                ("ConnectionStrings__wwsf", $"Data Source={system._folder.FullName}/wwsf.db"),
                ("services__waf__http__0", $"http://127.0.0.1:{waf}"), ("Wwsf__Waf__ClientSecret", secret),
                ("Wwsf__TurnUris__0", $"turn:127.0.0.1:{system._turnPort}"), ("Wwsf__Limits__TurnTokensPerMinute", "1000000"),
                ("Wwsf__Limits__TokensPerMinuteOfAddress", "1000000"), ("Wwsf__Limits__GuestTokensPerMinute", "1000000")]);
            system._page.BaseAddress = new Uri($"http://127.0.0.1:{wwsf}");
            await system.UseSessionAsync(await system._page.GetAsync("/api/session"));
            await system.UseSessionAsync(await system._page.PostAsync("/api/session/anonymous", null));
            return system;
        }

        public async Task CallAsync(int calls)
        {
            for (var i = 0; i < calls; i++)
            {
                using var request = new HttpRequestMessage(HttpMethod.Post, "/api/turn-token");
                request.Headers.Add(
                    "traceparent",
                    $"00-{RandomNumberGenerator.GetHexString(32, lowercase: true)}-" +
                    $"{RandomNumberGenerator.GetHexString(16, lowercase: true)}-01");
                using var answer = await _page.SendAsync(request);
                answer.EnsureSuccessStatusCode();
                var token = await answer.Content.ReadFromJsonAsync<JsonElement>();
                var credential = TurnCredential.AccessToken(
                    token.GetProperty("kid").GetString()!, token.GetProperty("access_token").GetBytesFromBase64(), token.GetProperty("key")
                        .GetBytesFromBase64());
                await using var client = await TurnClient.ConnectAsync(TurnUri.Parse($"turn:127.0.0.1:{_turnPort}"));
                await client.AllocateAsync(credential);
            }
        }

        public ValueTask DisposeAsync()
        {
            _page.Dispose();
            _folder.Delete(recursive: true);
            return ValueTask.CompletedTask;
        }

        private async Task UseSessionAsync(HttpResponseMessage answer)
        {
            answer.EnsureSuccessStatusCode();
            var session = await answer.Content.ReadFromJsonAsync<JsonElement>();
            _page.DefaultRequestHeaders.Remove("X-XSRF-TOKEN");
            _page.DefaultRequestHeaders.Add("X-XSRF-TOKEN", session.GetProperty("antiforgery_token").GetString());
            answer.Dispose();
        }
    }

    /// <summary>A collector that accepts everything. Its CPU time is not counted.</summary>
    private sealed class Sink : IDisposable
    {
        private readonly HttpListener _listener = new();
        private long _traceOctets;

        public Sink()
        {
            Address = $"http://127.0.0.1:{Services.FreePort()}";
            _listener.Prefixes.Add(Address + "/");
            _listener.Start();
            _ = AcceptAsync();
        }

        public string Address { get; }

        public long TraceOctets => Interlocked.Read(ref _traceOctets);

        public void Dispose() => _listener.Close();

        private async Task AcceptAsync()
        {
            try
            {
                while (true)
                {
                    var context = await _listener.GetContextAsync();
                    using var body = new MemoryStream();
                    await context.Request.InputStream.CopyToAsync(body);
                    if (context.Request.Url!.AbsolutePath == "/v1/traces") Interlocked.Add(ref _traceOctets, body.Length);
                    context.Response.ContentType = "application/x-protobuf";
                    context.Response.Close();
                }
            }
            catch (Exception error) when (error is HttpListenerException or ObjectDisposedException)
            {
                // The sink is disposed.
            }
        }
    }
}
