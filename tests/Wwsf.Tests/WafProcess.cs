using System.Collections.Concurrent;
using System.Diagnostics;
using System.Security.Cryptography;
using System.Text;
using WebRtcIms.Stun.OAuth;
using WebRtcIms.Tests.Common;

namespace WebRtcIms.Wwsf.Tests;

/// <summary>
/// The real WAF as a process of its own on a free loopback port, with one TURN server and one client that signs. The test project refers
/// to <c>Waf</c>, so that <c>WebRtcIms.Waf.dll</c> stands beside the tests.
/// </summary>
internal sealed class WafProcess : IAsyncDisposable
{
    public const string Issuer = "https://waf.example.org/";
    public const string TurnServer = "turn.example.org";

    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(30);

    private readonly byte[] _longTermKey = RandomNumberGenerator.GetBytes(32);
    private readonly DirectoryInfo _directory = Directory.CreateTempSubdirectory("wwsf-tests-waf-");
    private readonly ConcurrentQueue<string> _output = [];
    private readonly Process _process;

    private WafProcess(string jwks)
    {
        Address = $"http://127.0.0.1:{FreePorts.Tcp()}";

        // In a directory of its own it finds no settings but these.
        var start = new ProcessStartInfo("dotnet", [Path.Combine(AppContext.BaseDirectory, "WebRtcIms.Waf.dll")])
        {
            WorkingDirectory = _directory.FullName,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            Environment =
            {
                ["ASPNETCORE_URLS"] = Address,
                ["ConnectionStrings__waf"] = "Data Source=waf.db",
                ["Waf__Issuer"] = Issuer,
                ["Waf__TurnServers__0__Name"] = TurnServer,
                ["Waf__TurnServers__0__Kid"] = "k1",
                ["Waf__TurnServers__0__Key"] = Convert.ToBase64String(_longTermKey),
                ["Waf__Clients__0__ClientId"] = "wwsf",
                ["Waf__Clients__0__Jwks"] = jwks,
                ["Waf__Clients__0__Audiences__0"] = TurnServer,
            },
        };
        _process = new Process { StartInfo = start };
        _process.OutputDataReceived += (_, line) => _output.Enqueue(line.Data ?? "");
        _process.ErrorDataReceived += (_, line) => _output.Enqueue(line.Data ?? "");
    }

    public string Address { get; }

    /// <summary>Starts it and waits until it answers.</summary>
    public static async Task<WafProcess> StartAsync(string jwks)
    {
        var waf = new WafProcess(jwks);
        waf._process.Start();
        waf._process.BeginOutputReadLine();
        waf._process.BeginErrorReadLine();
        try
        {
            using var http = new HttpClient();
            using var limit = new CancellationTokenSource(Limit);
            while (!await waf.AnswersAsync(http, limit.Token))
            {
                if (waf._process.HasExited) Assert.Fail(string.Join('\n', waf._output));
                await Task.Delay(50, limit.Token);
            }
        }
        catch
        {
            await waf.DisposeAsync();
            throw;
        }

        return waf;
    }

    /// <summary>What the TURN server finds in a token; it must be one.</summary>
    public AccessToken Decrypt(string token)
    {
        var key = new AccessTokenKey("k1", AccessTokenAlgorithm.A256Gcm, _longTermKey);
        Assert.Equal(AccessTokenStatus.Valid, key.TryDecrypt(Convert.FromBase64String(token), Encoding.UTF8.GetBytes(TurnServer), out var content));
        return content;
    }

    public async ValueTask DisposeAsync()
    {
        if (!_process.HasExited) _process.Kill(entireProcessTree: true);
        await _process.WaitForExitAsync();
        _process.Dispose();
        _directory.Delete(recursive: true);
    }

    private async Task<bool> AnswersAsync(HttpClient http, CancellationToken cancel)
    {
        try
        {
            using var answer = await http.GetAsync(new Uri($"{Address}/alive"), cancel);
            return answer.IsSuccessStatusCode;
        }
        catch (HttpRequestException)
        {
            return false;
        }
    }
}
