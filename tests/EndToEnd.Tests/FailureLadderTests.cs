using System.Net;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using Aspire.Hosting.Testing;
using Microsoft.Playwright;
using StackExchange.Redis;
using WebRtcIms.EndToEnd.Tests.Browser;
using WebRtcIms.EndToEnd.Tests.Setup;
using WebRtcIms.Stun.Messages;
using WebRtcIms.Stun.OAuth;
using WebRtcIms.Tests.Common;
using WebRtcIms.Tests.Common.Stun;
using WebRtcIms.Turn.Client;
using WebRtcIms.Turn.Client.Protocol;

namespace WebRtcIms.EndToEnd.Tests;

/// <summary>
/// Causes each failure of a call in the running system. FlowView's ladder must cross the failed arrow and show the reason.
/// </summary>
[Collection(RunningSystem.Collection)]
public sealed class FailureLadderTests(RunningSystem system)
{
    private const string ServerName = "turn.webrtcims.local";

    [Fact]
    public async Task TokenThatHasExpired_FailsStep8()
    {
        await using var wic = await OpenAsGuestAsync();
        await ReplaceTokenAsync(wic, answer =>
        {
            var (userName, password) = TokenOf(TimeProvider.System.GetUtcNow() - TimeSpan.FromMinutes(20), lifetimeSeconds: 600);
            answer["expires_in"] = 0.001;
            foreach (var server in answer["ice_servers"]!.AsArray()) (server!["username"], server["credential"]) = (userName, password);
        });

        await wic.CallAsync();
        await wic.ExpectAlertAsync("rejected the token");

        await system.ExpectFailureAsync(
            await wic.TextAsync("trace-id"), "8", "WIC to TURN", "the token had expired", ": token_expired");
    }

    [Fact]
    public async Task TokenUnderAKeyThatTurnDoesNotHave_FailsStep8()
    {
        await using var wic = await OpenAsGuestAsync();
        await ReplaceTokenAsync(wic, answer =>
        {
            foreach (var server in answer["ice_servers"]!.AsArray())
                server!["username"] = Regex.Replace((string)server["username"]!, "^[^~]+~", "k9~");
        });

        await wic.CallAsync();
        await wic.ExpectAlertAsync("rejected the token");

        await system.ExpectFailureAsync(
            await wic.TextAsync("trace-id"), "8", "WIC to TURN", "under a key that the server does not have", ": turn_401");
    }

    [Fact]
    public async Task AllocateFromAnotherAddress_IsAReplayInTheTraceOfTheCall()
    {
        var (traceId, token) = await TokenOfACallAsync();
        var transaction = StunRequest.NewTransaction();
        Assert.Equal(StunError.None, await AllocateAsync(token, transaction));
        Assert.Equal(StunError.Unauthenticated, await AllocateAsync(token, transaction));

        await system.ExpectFailureAsync(traceId, "8", "WIC to TURN", "a replay", "refused with 401: it is a replay");
    }

    [Fact]
    public async Task MoreAllocationsThanATokenMayHave_AreTheQuotaInTheTraceOfTheCall()
    {
        var (traceId, token) = await TokenOfACallAsync();
        var clients = new List<TurnClient>();
        var error = StunError.None;
        try
        {
            while (error == StunError.None && clients.Count < 50)
            {
                clients.Add(
                    await TurnClient.ConnectAsync(
                        TurnUri.Parse($"turn:127.0.0.1:{TurnEndPoint.Port}"), cancellationToken: TestContext.Current.CancellationToken));
                error = await ErrorOfAsync(
                    clients[^1].AllocateAsync(token.Credential, cancellationToken: TestContext.Current.CancellationToken));
            }
        }
        finally
        {
            foreach (var client in clients) await client.DisposeAsync();
        }

        Assert.Equal(StunError.AllocationQuotaReached, error);
        await system.ExpectFailureAsync(traceId, "8", "WIC to TURN", "the quota is used up", "refused with 486: the quota");
    }

    [Theory]
    [InlineData("bob", "Not online", "480 not reachable")]
    [InlineData("nobody", "Nobody has this address", "404 nobody is registered")]
    public async Task PeerThatIsNotRegistered_FailsTheInvite(string address, string text, string reason)
    {
        await using var wic = await OpenAsGuestAsync();
        await wic.WaitUntilOnlineAsync();
        await wic.DialAsync(address);
        await wic.ExpectAlertAsync(text);

        await system.ExpectFailureAsync(
            await wic.TextAsync("trace-id"), "", "WIC to eP-CSCF, SIP INVITE", reason, $"with {reason[..3]}: {reason[4..]}");
    }

    [Fact]
    public async Task NoGuestIdentityLeft_FailsTheRequestForARegistrationToken()
    {
        await using var redis =
            await ConnectionMultiplexer.ConnectAsync(
                (await system.App.GetConnectionStringAsync("redis", TestContext.Current.CancellationToken))!);
        var database = redis.GetDatabase();
        var taken = new List<RedisKey>();
        try
        {
            for (var number = 1; number <= 50; number++)
            {
                RedisKey key = $"ims:lease:{{guest}}:{number}";
                // Also a number in quarantine, which may become free at any moment.
                await database.StringSetAsync(key, "somebody else", TimeSpan.FromMinutes(1));
                taken.Add(key);
            }

            await using var wic = await system.Chromium.OpenAsync(system.PageAddress);
            var refused = new TaskCompletionSource<string>(TaskCreationOptions.RunContinuationsAsynchronously);
            wic.Page.Response += async (_, answer) =>
            {
                // The page retries automatically. On a busy machine the first answer may instead report that Redis was too slow.
                if (answer.Status != 503 || !answer.Url.EndsWith("/api/ims-token", StringComparison.Ordinal)) return;
                if ((await answer.TextAsync()).Contains("no_free_identity", StringComparison.Ordinal))
                    refused.TrySetResult(answer.Request.Headers["traceparent"].Split('-')[1]);
            };
            await wic.ContinueAsGuestAsync();

            var traceId = await refused.Task.WaitAsync(TimeSpan.FromSeconds(20), TestContext.Current.CancellationToken);
            await system.ExpectFailureAsync(traceId, "", "WIC to WWSF", "all guest identities are leased", "503 no_free_identity");
        }
        finally
        {
            await database.KeyDeleteAsync([.. taken]);
        }
    }

    /// <summary>Aspire's proxy still accepts connections for the stopped WAF, so that requests time out.</summary>
    [Fact]
    [Requirement("EXP-18")]
    public async Task WafDown_FailsStep4()
    {
        await using var wic = await OpenAsGuestAsync();
        await using (await system.WithoutAsync("waf"))
        {
            await wic.CallAsync();
            await wic.ExpectAlertAsync("authorization server does not answer");
        }

        await system.ExpectFailureAsync(
            await wic.TextAsync("trace-id"), "4", "WWSF to WAF", "no answer in time", "The WAF did not answer the TURN token request");
    }

    [Fact]
    public async Task RedisDown_FailsTheGrantAndNotTheCall()
    {
        await using var wic = await OpenAsGuestAsync();
        await using (await system.WithoutAsync("redis"))
        {
            await wic.CallAsync();
            await wic.WaitForMediaAsync();
            var traceId = await wic.TextAsync("trace-id");
            await wic.HangUpAsync();

            await system.ExpectFailureAsync(traceId, "", "WAF to Redis", "Redis", "does not answer (Redis");
        }
    }

    [Fact]
    public async Task WrongPassword_FailsTheSignIn()
    {
        await using var wic = await system.Chromium.OpenAsync(system.PageAddress);
        await wic.LogInAsync(DemoUser.Name, "not the password");
        await wic.ExpectAlertAsync("password is wrong");

        // The request of a stranger begins a trace of the gateway, whose id the page does not know. "log-in" is a word of the log record.
        await using var flowView = await system.OpenCallsAsync("outcome=failed&kind=signalling&text=log-in%20login_failed");
        var row = flowView.Page.Locator("tbody tr").First;
        await Assertions.Expect(row).ToContainTextAsync("wrong user name or password", new() { Timeout = 30_000 });
        await row.GetByRole(AriaRole.Link).ClickAsync();
        await Assertions.Expect(flowView.Get("logs-of-call"))
            .ToContainTextAsync(new Regex("A log-in by password from .* was refused: login_failed"), new() { Timeout = 30_000 });
    }

    [Fact]
    public async Task TurnDown_FailsStep8()
    {
        await using var wic = await OpenAsGuestAsync();
        await using (await system.WithoutAsync("turn"))
        {
            await wic.CallAsync();
            await wic.ExpectAlertAsync("TURN server does not answer");
        }

        await system.ExpectFailureAsync(
            await wic.TextAsync("trace-id"), "8", "WIC to TURN", "the TURN server does not answer", ": turn_unreachable");
    }

    [Fact]
    [Requirement("EXP-02")]
    public async Task TurnDownInACall_IsTheReasonOfItsEnd()
    {
        await using var wic = await OpenAsGuestAsync();
        await wic.Page.Clock.InstallAsync();
        await wic.CallAsync();
        await wic.WaitForMediaAsync();
        var traceId = await wic.TextAsync("trace-id");
        await using (await system.WithoutAsync("turn"))
        {
            await Assertions.Expect(wic.Page.Locator("#stage"))
                .ToHaveAttributeAsync("data-phase", "interrupted", new() { Timeout = 30_000 });
            await wic.Page.Clock.FastForwardAsync(61_000);
            await wic.ExpectAlertAsync("the call was lost", seconds: 30);
        }

        await using var flowView = await system.OpenCallsAsync($"text={traceId}&outcome=failed&kind=echo");
        await flowView.Page.Locator("td.what a").ClickAsync(new() { Timeout = 30_000 });
        await Assertions.Expect(flowView.Get("logs-of-call")).ToContainTextAsync("'in call' failed", new() { Timeout = 30_000 });
        await Assertions.Expect(flowView.Get("logs-of-call")).ToContainTextAsync("ended after");
        await flowView.KeepAsync("ladder-turn-down-in-a-call");
    }

    [Fact]
    public async Task CalleeDeclines_FailsTheInvite()
    {
        await using var guest = await OpenAsGuestAsync();
        await guest.WaitUntilOnlineAsync();
        await using var alice = await system.Chromium.OpenAsync(system.PageAddress);
        await alice.LogInAsync(DemoUser.Name, DemoUser.Password);
        await alice.WaitUntilOnlineAsync();
        await guest.DialAsync("alice");
        await alice.Get("decline").ClickAsync();
        await guest.ExpectAlertAsync("Busy");

        await system.ExpectFailureAsync(await guest.TextAsync("trace-id"), "", "SIP INVITE", "486 busy", "with 486: busy");
    }

    [Fact]
    public async Task NetworkLost_FailsStep2_AndIsReportedWhenItIsBack()
    {
        await using var wic = await OpenAsGuestAsync();
        await wic.Page.Context.SetOfflineAsync(true);
        await wic.CallAsync();
        await wic.ExpectAlertAsync("cannot reach the server");
        var traceId = await wic.TextAsync("trace-id");
        await wic.Page.Context.SetOfflineAsync(false);

        await system.ExpectFailureAsync(traceId, "2", "WIC to WWSF", "the page has no connection", ": gateway_unavailable");
    }

    private IPEndPoint TurnEndPoint => new(IPAddress.Loopback, system.App.GetEndpoint("turn", "udp").Port);

    private async Task<WicPage> OpenAsGuestAsync()
    {
        var wic = await system.Chromium.OpenAsync(system.PageAddress);
        await wic.ContinueAsGuestAsync();
        await wic.Get("call").WaitForAsync();
        return wic;
    }

    /// <summary>Changes the token that the WAF has made before the page gets it.</summary>
    private static Task<IAsyncDisposable> ReplaceTokenAsync(WicPage wic, Action<JsonNode> change) =>
        wic.Page.RouteAsync("**/api/turn-token", async route =>
    {
        var answer = await route.FetchAsync();
        var json = JsonNode.Parse(await answer.TextAsync())!;
        change(json);
        await route.FulfillAsync(new() { Response = answer, Body = json.ToJsonString() });
    });

    /// <summary>Creates a token as the WAF would at that time. The test has its key.</summary>
    private (string UserName, string Password) TokenOf(DateTimeOffset made, uint lifetimeSeconds)
    {
        var macKey = RandomNumberGenerator.GetBytes(AccessToken.Sha256MacKeyLength);
        using var key = new AccessTokenKey("k1", AccessTokenAlgorithm.A256Gcm, Convert.FromBase64String(system.SecretParameters[0]));
        var octets = new byte[AccessToken.MaxEncodedLength];
        var length = key.Encrypt(
            new AccessToken(macKey, TokenTimestamp.FromDateTimeOffset(made), lifetimeSeconds),
            RandomNumberGenerator.GetBytes(AccessTokenKey.NonceLength),
            Encoding.UTF8.GetBytes(ServerName), octets);
        return ($"k1~{System.Buffers.Text.Base64Url.EncodeToString(octets.AsSpan(0, length))}", Convert.ToBase64String(macKey));
    }

    /// <summary>Makes a successful call and returns its token, which the test then uses as another client.</summary>
    private async Task<(string TraceId, StolenToken Token)> TokenOfACallAsync()
    {
        await using var wic = await OpenAsGuestAsync();
        await wic.CallAsync();
        await wic.WaitForMediaAsync();
        var traceId = await wic.TextAsync("trace-id");
        await wic.HangUpAsync();
        return (traceId, new StolenToken(Assert.Single(wic.Tokens)));
    }

    /// <summary>
    /// Sends one Allocate over UDP from a new port. The test chooses the transaction id, because Turn.Client never repeats one.
    /// </summary>
    private async Task<StunError> AllocateAsync(StolenToken token, TransactionId transaction)
    {
        await using var client = StunTestClient.Udp(TurnEndPoint);
        var answer =
            await client.AllocateAsync(StunCredential.NativeToken(token.KeyId, token.Octets, token.MacKey), transaction: transaction);
        return answer.Error;
    }

    private static async Task<StunError> ErrorOfAsync(Task<TurnAllocation> allocating)
    {
        try
        {
            await allocating;
            return StunError.None;
        }
        catch (TurnException refused)
        {
            return refused.Code;
        }
    }

    private sealed class StolenToken(JsonElement answer)
    {
        public string KeyId { get; } = answer.GetProperty("kid").GetString()!;

        public byte[] Octets { get; } = answer.GetProperty("access_token").GetBytesFromBase64();

        public byte[] MacKey { get; } = answer.GetProperty("key").GetBytesFromBase64();

        public TurnCredential Credential => TurnCredential.AccessToken(KeyId, Octets, MacKey);
    }
}
