using System.Buffers.Text;
using System.Diagnostics;
using System.Net;
using System.Net.Http.Json;
using System.Security.Cryptography.X509Certificates;
using System.Text.Json;
using WebRtcIms.Contracts;
using WebRtcIms.Tests.Common;

namespace WebRtcIms.Waf.Tests;

/// <summary>The WAF as a process of its own, for TLS ends there: a TURN server fetches its key (RFC 7635 §4.1.1).</summary>
public sealed class KeyEndpointTests
{
    private const string Path = "/.well-known/stun-key";

    [Fact]
    [Requirement("RFC7635-4.1.1-1")]
    [Requirement("RFC9700-2.6-2")]
    public async Task TurnServerWithItsCertificate_GetsItsKey_AndNobodyElseDoes()
    {
        using var waf = new TestCertificate();
        using var turn = new TestCertificate();
        using var second = new TestCertificate();
        var (https, http) = (FreePorts.Tcp(), FreePorts.Tcp());
        await using var process = await WafProcess.StartAsync(
            https, http, waf, ("Waf:TurnServers:0:CertificateSha256", turn.Thumbprint),
            ("Waf:TurnServers:1:CertificateSha256", second.Thumbprint));
        var own = $"https://localhost:{https}{Path}?service=stun&name={WafApp.TurnServer}";

        var (status, answer, caching) = await GetAsync(waf, turn, own);
        Assert.Equal(HttpStatusCode.OK, status);
        Assert.Equal("no-store", caching);
        Assert.Equal(
            ["enc", "exp", "k", "keys", "kid"], answer.EnumerateObject().Select(property => property.Name).Order(StringComparer.Ordinal));
        Assert.Equal(("k1", "A256GCM"), (answer.GetProperty("kid").GetString(), answer.GetProperty("enc").GetString()));
        Assert.Equal(
            Convert.FromBase64String(WafApp.GoodSettings()["Waf:TurnServers:0:Key"]),
            Base64Url.DecodeFromChars(answer.GetProperty("k").GetString()));
        Assert.InRange(answer.GetProperty("exp").GetInt64() - TimeProvider.System.GetUtcNow().ToUnixTimeSeconds(), 86400 - 60, 86400);

        Assert.Equal(HttpStatusCode.OK,
            (await GetAsync(waf, turn, own.Replace("service=stun", "service=turn", StringComparison.Ordinal))).Status);
        Assert.Equal(HttpStatusCode.BadRequest,
            (await GetAsync(waf, turn, own.Replace("service=stun", "service=sip", StringComparison.Ordinal))).Status);
        Assert.Equal(HttpStatusCode.BadRequest, (await GetAsync(waf, turn, own + "&name=" + WafApp.SecondTurnServer)).Status);

        // Another's key, a name that there is not, another's certificate, and none: one answer.
        using var stranger = new TestCertificate();
        (HttpStatusCode Status, JsonElement Body, string? Caching)[] refusals =
        [
            await GetAsync(waf, second, own),
            await GetAsync(waf, turn, own.Replace(WafApp.TurnServer, WafApp.SecondTurnServer, StringComparison.Ordinal)),
            await GetAsync(waf, turn, own.Replace(WafApp.TurnServer, "nowhere.example.org", StringComparison.Ordinal)),
            await GetAsync(waf, stranger, own),
            await GetAsync(waf, null, own),
        ];
        Assert.All(refusals, refusal => Assert.Equal(
            (HttpStatusCode.Forbidden, refusals[0].Body.GetProperty("detail").GetString()),
            (refusal.Status, refusal.Body.GetProperty("detail").GetString())));

        // RFC 7635 §4.1.1: HTTPS MUST be used.
        var overHttp = await GetAsync(waf, turn, $"http://localhost:{http}{Path}?service=stun&name={WafApp.TurnServer}");
        Assert.Equal(
            (HttpStatusCode.Forbidden, "Keys are only sent over https."),
            (overHttp.Status, overHttp.Body.GetProperty("detail").GetString()));

        Assert.DoesNotContain(WafApp.GoodSettings()["Waf:TurnServers:0:Key"], process.Output);
        Assert.DoesNotContain(answer.GetProperty("k").GetString()!, process.Output);
    }

    [Fact]
    [Requirement("RFC7635-4.1.1-1")]
    public async Task TurnServerWithARing_GetsTheCurrentKey_AndAllOthers()
    {
        using var waf = new TestCertificate();
        using var turn = new TestCertificate();
        var (https, http) = (FreePorts.Tcp(), FreePorts.Tcp());
        await using var process = await WafProcess.StartAsync(
            https, http, waf, ("Waf:TurnServers:0:CertificateSha256", turn.Thumbprint), ("Waf:TurnServers:0:Key", ""));

        var (status, answer, _) = await GetAsync(
            waf, turn, $"https://localhost:{https}{Path}?service=turn&name={WafApp.TurnServer}");

        Assert.Equal(HttpStatusCode.OK, status);
        var keys = LongTermKeys.Parse(answer.GetRawText())!;
        Assert.Equal(["k1.1", "k1.2"], keys.Keys!.Select(key => key.Kid));
        Assert.Equal(keys.Keys![0], new LongTermKey(keys.K, keys.Exp, keys.Kid, keys.Enc));
        Assert.All(keys.Keys!, key => Assert.Equal(32, Base64Url.DecodeFromChars(key.K).Length));
        // The first key is current for a day, and its last token lives for ten minutes.
        var now = TimeProvider.System.GetUtcNow().ToUnixTimeSeconds();
        Assert.InRange(keys.Exp - now, 86400 + 600 + 5 + 600 - 60, 86400 + 600 + 5 + 600);
        Assert.Equal(86400, keys.Keys![1].Exp - keys.Exp);
        Assert.All(keys.Keys!, key => Assert.DoesNotContain(key.K, process.Output));
    }

    [Fact]
    public async Task EpCscfWithItsCertificate_GetsTheKeysOfRegistrationTokens_AndATurnServerDoesNot()
    {
        using var waf = new TestCertificate();
        using var turn = new TestCertificate();
        using var cscf = new TestCertificate();
        var (https, http) = (FreePorts.Tcp(), FreePorts.Tcp());
        await using var process = await WafProcess.StartAsync(
            https, http, waf, ("Waf:TurnServers:0:CertificateSha256", turn.Thumbprint), ("Waf:ImsRegistration:Domain", "ims.example"),
            ("Waf:ImsRegistration:Identity", "waf.ims.example"), ("Waf:ImsRegistration:CertificateSha256", cscf.Thumbprint));
        var address = $"https://localhost:{https}{Path}?service=ims&name=ims.example";

        var (status, answer, _) = await GetAsync(waf, cscf, address);

        Assert.Equal(HttpStatusCode.OK, status);
        Assert.Equal(["ims.example.1", "ims.example.2"], LongTermKeys.Parse(answer.GetRawText())!.Keys!.Select(key => key.Kid));
        foreach (var (certificate, other) in ((TestCertificate, string)[])[
            (turn, address), (cscf, address.Replace("ims.example", "other.example", StringComparison.Ordinal)),
            (cscf, address.Replace("service=ims", "service=turn", StringComparison.Ordinal)),
            (turn, $"https://localhost:{https}{Path}?service=ims&name={WafApp.TurnServer}")])
            Assert.Equal(HttpStatusCode.Forbidden, (await GetAsync(waf, certificate, other)).Status);
    }

    [Fact]
    public async Task WithoutACertificateInTheSettings_ItDoesNotExist()
    {
        using var app = new WafApp();
        using var client = app.CreateClient();

        using var answer =
            await client.GetAsync(new Uri($"{Path}?service=stun&name={WafApp.TurnServer}", UriKind.Relative),
            TestContext.Current.CancellationToken);

        Assert.Equal(HttpStatusCode.NotFound, answer.StatusCode);
    }

    private static async Task<(HttpStatusCode Status, JsonElement Body, string? Caching)> GetAsync(TestCertificate waf,
        TestCertificate? own, string address)
    {
        using var handler = new SocketsHttpHandler { SslOptions = waf.ClientOptions() };
        using var certificate = own is null ? null : X509Certificate2.CreateFromPemFile(own.CertificateFile, own.KeyFile);
        if (certificate is not null) handler.SslOptions.ClientCertificates = [certificate];
        handler.SslOptions.LocalCertificateSelectionCallback = (_, _, _, _, _) => certificate!;
        using var client = new HttpClient(handler);
        using var answer = await client.GetAsync(new Uri(address), TestContext.Current.CancellationToken);
        return (answer.StatusCode, await answer.Content.ReadFromJsonAsync<JsonElement>(TestContext.Current.CancellationToken),
            answer.Headers.CacheControl?.ToString());
    }

    private sealed class WafProcess : IAsyncDisposable
    {
        private readonly Process _process;
        private readonly List<string> _output = [];
        private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("waf-tests-");

        private WafProcess(Dictionary<string, string> settings)
        {
            settings["ConnectionStrings:waf"] = $"Data Source={_folder.FullName}/waf.db";
            _process = new Process
            {
                StartInfo =
                    new("dotnet", [typeof(Program).Assembly.Location, .. settings.Select(setting => $"--{setting.Key}={setting.Value}")])
                    {
                        RedirectStandardOutput = true,
                        RedirectStandardError = true,
                        WorkingDirectory = System.IO.Path.GetTempPath(),
                        // It would watch each folder below the working directory.
                        Environment = { ["DOTNET_hostBuilder__reloadConfigOnChange"] = "false" },
                    },
            };
            _process.OutputDataReceived += (_, line) => Keep(line.Data);
            _process.ErrorDataReceived += (_, line) => Keep(line.Data);
            _process.Start();
            _process.BeginOutputReadLine();
            _process.BeginErrorReadLine();
        }

        public string Output
        {
            get
            {
                lock (_output) return string.Join('\n', _output);
            }
        }

        /// <summary>Returns when it answers over http.</summary>
        public static async Task<WafProcess> StartAsync(int https, int http, TestCertificate certificate,
            params (string Key, string Value)[] changes)
        {
            var settings = WafApp.GoodSettings();
            settings["Waf:Issuer"] = WafApp.Issuer;
            settings["AllowedHosts"] = "localhost;127.0.0.1";
            settings["urls"] = $"https://127.0.0.1:{https};http://127.0.0.1:{http}";
            settings["Kestrel:Certificates:Default:Path"] = certificate.CertificateFile;
            settings["Kestrel:Certificates:Default:KeyPath"] = certificate.KeyFile;
            settings["Logging:LogLevel:Default"] = "Debug";
            foreach (var (key, value) in changes) settings[key] = value;
            var waf = new WafProcess(settings);
            using var client = new HttpClient();
            using var limit = CancellationTokenSource.CreateLinkedTokenSource(TestContext.Current.CancellationToken);
            limit.CancelAfter(TimeSpan.FromSeconds(60));
            while (true)
            {
                try
                {
                    using var _ = await client.GetAsync(new Uri($"http://127.0.0.1:{http}/alive"), limit.Token);
                    return waf;
                }
                catch (HttpRequestException) when (!waf._process.HasExited)
                {
                    await Task.Delay(50, limit.Token);
                }
                catch (HttpRequestException)
                {
                    Assert.Fail(waf.Output);
                }
            }
        }

        public async ValueTask DisposeAsync()
        {
            if (!_process.HasExited) _process.Kill();
            await _process.WaitForExitAsync();
            _process.Dispose();
            _folder.Delete(recursive: true);
        }

        private void Keep(string? line)
        {
            lock (_output) _output.Add(line ?? "");
        }
    }
}
