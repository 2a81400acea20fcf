using System.Collections.Concurrent;
using System.Globalization;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text;
using WebRtcIms.Contracts;
using WebRtcIms.Stun.Messages;
using WebRtcIms.Stun.OAuth;
using WebRtcIms.Tests.Common;
using WebRtcIms.Turn.Client.Protocol;

namespace WebRtcIms.Interop.Tests.Fleet;

/// <summary>WAF replicas on one PostgreSQL and one Redis, and two TURN nodes that fetch their keys, each in a process of its own.</summary>
public sealed class FleetTests : IAsyncLifetime
{
    private const string TurnServer = "turn.example.org";

    // 1,000 tokens in a minute.
    private static readonly TimeSpan Pause = TimeSpan.FromMinutes(1) / 1000;

    private readonly TestCertificate _wafCertificate = new();
    private readonly TestCertificate _turnCertificate = new();
    private readonly DirectoryInfo _keys = Directory.CreateTempSubdirectory("waf-keys-");
    private readonly List<Node> _nodes = [];
    private PostgresServer _postgres = null!;
    private RedisServer _redis = null!;
    private WafProcess _waf = null!;

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync()
    {
        _redis = await RedisServer.StartAsync();
        _postgres = await PostgresServer.StartAsync();
        _waf = await StartWafAsync(
            ("Kestrel__Certificates__Default__Path", _wafCertificate.CertificateFile),
            ("Kestrel__Certificates__Default__KeyPath", _wafCertificate.KeyFile));
        for (var i = 0; i < 2; i++)
        {
            _nodes.Add(await Node.StartAsync(
                ("Turn__ServerName", TurnServer), ("Turn__KeyDelivery__Address", _waf.SecureAddress),
                ("Turn__KeyDelivery__Certificate", _turnCertificate.CertificateFile),
                ("Turn__KeyDelivery__CertificateKey", _turnCertificate.KeyFile),
                ("Turn__KeyDelivery__Authority", _wafCertificate.CertificateFile), ("ConnectionStrings__redis", _redis.Address)));
        }
    }

    public async ValueTask DisposeAsync()
    {
        foreach (var node in _nodes) await node.DisposeAsync();
        if (_waf is not null) await _waf.DisposeAsync();
        if (_postgres is not null) await _postgres.DisposeAsync();
        if (_redis is not null) await _redis.DisposeAsync();
        _wafCertificate.Dispose();
        _turnCertificate.Dispose();
        _keys.Delete(recursive: true);
    }

    [Fact]
    [Requirement("RFC7635-4.1.1")]
    public async Task ThreeRotationsUnderLoad_NoTokenIsRefused_AndTheFirstKeyIsRefusedAfterItsTime()
    {
        var first = (await FetchKeysAsync()).All[0];
        using var end = CancellationTokenSource.CreateLinkedTokenSource(Cancel);
        var kids = new ConcurrentDictionary<string, bool>();
        var load = UseTokensAsync(kids, end.Token);

        for (var i = 1; i <= 3; i++)
        {
            // Some tokens under each key.
            await Task.Delay(TimeSpan.FromSeconds(1), Cancel);
            while (!kids.ContainsKey($"k.{i}") && !load.IsCompleted) await Task.Delay(100, Cancel);
            var kid = Assert.Single(await _waf.RotateAsync());
            while ((await _waf.GetKeysAsync())[kid] != "current") await Task.Delay(100, Cancel);
        }

        // A token under the retired key is accepted while one that the WAF issued may be alive.
        foreach (var node in _nodes) await node.AllocateAsync(Forge(first));
        while ((await _waf.GetKeysAsync()).ContainsKey(first.Kid)) await Task.Delay(500, Cancel);
        await end.CancelAsync();
        await load;

        Assert.Equal(["k.1", "k.2", "k.3", "k.4"], kids.Keys.Order());
        foreach (var node in _nodes)
        {
            var refusal = await Assert.ThrowsAsync<TurnException>(() => node.AllocateAsync(Forge(first)));
            Assert.Equal(StunError.Unauthenticated, refusal.Code);
        }
    }

    [Fact]
    [Requirement("RFC7009-2.1-1")]
    public async Task RevokedToken_ItsAllocationsCannotBeRefreshedAtEitherNode_AfterASecond()
    {
        var token = await _waf.GetTokenAsync(TurnServer, Cancel);
        var clients = await Task.WhenAll(_nodes.Select(node => node.ConnectAsync()));
        try
        {
            var allocations = await Task.WhenAll(
                clients.Select(client => client.AllocateAsync(token.Credential, cancellationToken: Cancel)));
            foreach (var allocation in allocations) await allocation.RefreshAsync(cancellationToken: Cancel);

            await _waf.RevokeAsync(token);
            await Task.Delay(TimeSpan.FromSeconds(1), Cancel);

            foreach (var allocation in allocations)
                await Assert.ThrowsAsync<TurnException>(() => allocation.RefreshAsync(cancellationToken: Cancel));
        }
        finally
        {
            foreach (var client in clients) await client.DisposeAsync();
        }
    }

    [Fact]
    public async Task TwoReplicas_RotateOnce_AndWhenOneIsKilledNothingIsLost()
    {
        await using (var other = await StartWafAsync())
        {
            await UseAsync(await other.GetTokenAsync(TurnServer, Cancel));
            var before = await _waf.GetKeysAsync();
            Assert.Equal(before, await other.GetKeysAsync());

            var rotated = (await Task.WhenAll(_waf.RotateAsync(), other.RotateAsync())).SelectMany(kids => kids).Distinct();

            var kid = Assert.Single(rotated);
            Assert.Equal("next", before[kid]);
            await other.EndAsync("KILL");
        }

        // What the killed replica began the other one ends: the key becomes current, and there is one next key.
        while ((await _waf.GetKeysAsync()).Values.Order().ToArray() is not ["current", "next", "retired"]) await Task.Delay(100, Cancel);
        await UseAsync(await _waf.GetTokenAsync(TurnServer, Cancel));

        await using var restarted = await StartWafAsync();
        Assert.Equal(await _waf.GetKeysAsync(), await restarted.GetKeysAsync());
        await UseAsync(await restarted.GetTokenAsync(TurnServer, Cancel));
    }

    // A fresh token under a key. The holder of a key can make tokens without the WAF.
    private static TurnCredential Forge(LongTermKey key)
    {
        var macKey = RandomNumberGenerator.GetBytes(AccessToken.Sha256MacKeyLength);
        var nonce = RandomNumberGenerator.GetBytes(AccessTokenKey.NonceLength);
        using var codec = new AccessTokenKey(key.Kid, AccessTokenAlgorithm.A256Gcm, System.Buffers.Text.Base64Url.DecodeFromChars(key.K));
        var octets = new byte[AccessToken.MaxEncodedLength];
        var made = TokenTimestamp.FromDateTimeOffset(TimeProvider.System.GetUtcNow());
        var length = codec.Encrypt(new AccessToken(macKey, made, 30), nonce, Encoding.UTF8.GetBytes(TurnServer), octets);
        return TurnCredential.AccessToken(key.Kid, octets.AsSpan(0, length), macKey);
    }

    private Task<WafProcess> StartWafAsync(params (string Name, string Value)[] settings) => WafProcess.StartAsync(
    [
        ("ConnectionStrings__waf", _postgres.ConnectionString("waf")), ("ConnectionStrings__redis", _redis.Address),
        ("Waf__KeyDirectory", _keys.FullName), ("Waf__TurnServers__0__Name", TurnServer), ("Waf__TurnServers__0__Kid", "k"),
        ("Waf__TurnServers__0__TokenLifetime", TokenLimits.ShortestLifetime.ToString("c", CultureInfo.InvariantCulture)),
        ("Waf__TurnServers__0__KeyLeadTime", "00:00:02"),
        ("Waf__TurnServers__0__CertificateSha256", _turnCertificate.Thumbprint),
        ("Waf__Clients__0__Audiences__0", TurnServer), .. settings,
    ]);

    private async Task<LongTermKeys> FetchKeysAsync()
    {
        using var certificate = X509Certificate2.CreateFromPemFile(_turnCertificate.CertificateFile, _turnCertificate.KeyFile);
        using var handler = new SocketsHttpHandler { SslOptions = _wafCertificate.ClientOptions() };
        handler.SslOptions.LocalCertificateSelectionCallback = (_, _, _, _, _) => certificate;
        using var http = new HttpClient(handler);
        var query = new Uri($"{_waf.SecureAddress}{LongTermKeys.Path}?service=turn&name={TurnServer}");
        return LongTermKeys.Parse(await http.GetStringAsync(query, Cancel))!;
    }

    private async Task UseAsync(Token token)
    {
        foreach (var node in _nodes) await node.AllocateAsync(token.Credential);
    }

    // Adds the names of the keys that the tokens had. An exception is a request that was refused.
    private async Task UseTokensAsync(ConcurrentDictionary<string, bool> kids, CancellationToken end)
    {
        List<Task> uses = [];
        using var timer = new PeriodicTimer(Pause);
        try
        {
            while (await timer.WaitForNextTickAsync(end))
            {
                var token = await _waf.GetTokenAsync(TurnServer, Cancel);
                kids.TryAdd(token.Kid, true);
                uses.Add(UseAsync(token));
            }
        }
        catch (OperationCanceledException) when (end.IsCancellationRequested)
        {
            // The test has seen enough.
        }

        await Task.WhenAll(uses);
    }
}
