using Microsoft.AspNetCore.Http;
using WebRtcIms.Contracts;
using WebRtcIms.ServiceDefaults.KeyDelivery;
using WebRtcIms.Stun.Messages;
using WebRtcIms.Stun.OAuth;
using WebRtcIms.Tests.Common;
using WebRtcIms.Turn.Settings;
using WebRtcIms.Turn.Tests.Running;
using static WebRtcIms.Turn.Tests.Delivery.DeliveryFixture;

namespace WebRtcIms.Turn.Tests.Delivery;

/// <summary>A response that cannot be used changes nothing, and is one line in the log with the setting to look at.</summary>
public sealed class UnusableResponseTests
{
    private const string Address = "Turn:KeyDelivery:Address: ";
    private const string NotTheForm = Address + "the response does not have the form of RFC 7635 §4.1.1";

    private static readonly DateTimeOffset InAnHour = TimeProvider.System.GetUtcNow().AddHours(1);

    private readonly TokenKey _known = new("k.1");

    /// <summary>The keys are those of a good response, which each case changes.</summary>
    private static readonly Dictionary<string, (Func<LongTermKey, IEnumerable<LongTermKey?>> Change, string Problem)> Rings = new()
    {
        ["short K"] = (key => [key with { K = "c2hvcnQ" }], "a key cannot be used: Key must have 32 octets or more for A256GCM"),
        ["K without base64url"] = (key => [key with { K = "a+secret/" }], "a key cannot be used: Key must be base64"),
        ["no K"] = (key => [key with { K = null! }], "a key has no k, kid or enc"),
        ["no kid"] = (key => [key, key with { Kid = null! }], "a key has no k, kid or enc"),
        ["null in place of a key"] = (key => [key, null], "a key has no k, kid or enc"),
        ["unknown enc"] = (key => [key with { Enc = "A256CBC-HS512" }], "a key cannot be used: Algorithm must be A256GCM or A128GCM"),
        ["kid twice"] = (key => [key, key with { Exp = key.Exp + 1 }], "two keys have one kid"),
        ["kid of two lines"] = (key => [key with { Kid = "k\nfail" }], "a key cannot be used: Kid must not have control characters"),
        ["kid of 130 octets"] = (key => [key with { Kid = new string('é', 65) }], "a key cannot be used: Kid must have 1 to 128 octets"),
        ["kid with ~"] = (key => [key with { Kid = "k~1" }], "a key cannot be used: Kid must have 1 to 128 octets and no '~'"),
        ["exp in the past"] = (key => [key with { Exp = 1300819380 }], "each key has expired; compare the clocks"),
        ["exp before 1970"] = (key => [key with { Exp = long.MinValue }], "each key has expired; compare the clocks"),
        ["too many keys"] =
            (key => Enumerable.Range(0, 33).Select(i => key with { Kid = $"k.{i}" }), "the response has more than 32 keys"),
    };

    private static readonly Dictionary<string, (Func<HttpContext, string, Task> Respond, string Problem)> Responses = new()
    {
        ["text"] = ((context, _) => context.Response.WriteAsync("a secret, and no JSON"), NotTheForm),
        ["list"] = ((context, good) => context.Response.WriteAsync($"[{good}]"), NotTheForm),
        ["nothing"] = ((_, _) => Task.CompletedTask, NotTheForm),
        ["null"] = ((context, _) => context.Response.WriteAsync("null"), NotTheForm),
        ["object without keys"] = ((context, _) => context.Response.WriteAsync("""{"kid":"k.2"}"""), NotTheForm),
        ["exp as a text"] = ((context, _) =>
            context.Response.WriteAsync("""{"k":"a secret","exp":"tomorrow","kid":"k.2","enc":"A256GCM"}"""), NotTheForm),
        ["large body"] = ((context, good) => context.Response.WriteAsync(good + new string(' ', 65536)),
            Address + "the response has more than 65536 octets"),
        ["half a body"] = (AbortAsync, Address + "the response breaks off"),
        ["redirect"] = (RedirectAsync, Address + "the WAF answers 302"),
        ["403"] = (StatusAsync(403), "Turn:KeyDelivery:Certificate: the WAF answers 403; its Waf:TurnServers must have"),
        ["404"] = (StatusAsync(404), Address + "the WAF answers 404"),
        ["500"] = (StatusAsync(500), Address + "the WAF answers 500"),
    };

    public static TheoryData<string> AllRings => [.. Rings.Keys];

    public static TheoryData<string> AllResponses => [.. Responses.Keys];

    [Theory]
    [MemberData(nameof(AllRings))]
    [Requirement("RFC7635-4.1.1")]
    [Requirement("ABUSE-48")]
    public async Task RingOfNoUse_IsRefusedAsAWhole(string name)
    {
        await using var fixture = await StartAsync(_known.Delivered(InAnHour));
        var good = new TokenKey("k.2").Delivered(InAnHour);
        var ring = Rings[name].Change(good).ToList();
        fixture.Waf.Respond = context =>
            context.Response.WriteAsync(new LongTermKeys(good.K, good.Exp, good.Kid, good.Enc, ring!).ToJson());

        await AssertKeptAsync(fixture, Address + Rings[name].Problem, [good.K, .. ring.OfType<LongTermKey>().Select(key => key.K)]);
    }

    [Theory]
    [MemberData(nameof(AllResponses))]
    [Requirement("RFC7635-4.1.1")]
    [Requirement("ABUSE-48")]
    public async Task ResponseOfNoUse_IsRefused(string name)
    {
        await using var fixture = await StartAsync(_known.Delivered(InAnHour));
        fixture.Waf.Keys = [new TokenKey("k.2").Delivered(InAnHour)];
        var good = fixture.Waf.Body();
        fixture.Waf.Respond = context => Responses[name].Respond(context, good);

        await AssertKeptAsync(fixture, Responses[name].Problem, [fixture.Waf.Keys[0].K, "a secret"]);
        Assert.DoesNotContain(fixture.Waf.Requests, request => request.Target.Contains("elsewhere", StringComparison.Ordinal));
    }

    [Fact]
    [Requirement("RFC7635-4.1.1")]
    public async Task ServerWithAnotherCertificate_GetsNoRequest()
    {
        await using var fixture = await StartAsync(_known.Delivered(InAnHour));
        await fixture.Waf.StopAsync();
        var trusted = await File.ReadAllTextAsync(fixture.Waf.Certificate.CertificateFile, TestContext.Current.CancellationToken);
        fixture.Waf.Certificate.Replace();
        await fixture.Waf.StartAsync();
        await File.WriteAllTextAsync(fixture.Waf.Certificate.CertificateFile, trusted, TestContext.Current.CancellationToken);
        fixture.Waf.Keys = [new TokenKey("k.2").Delivered(InAnHour)];

        await AssertKeptAsync(fixture, "Turn:KeyDelivery:Authority: TLS with the WAF fails: The remote certificate", []);
        Assert.Single(fixture.Waf.Requests);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task ResponseThatDoesNotEnd_IsGivenUpAfterTenSeconds(bool hasBegun)
    {
        await using var fixture = await StartAsync(_known.Delivered(InAnHour));
        var waiting = new TaskCompletionSource();
        fixture.Waf.Respond = async context =>
        {
            if (hasBegun) await context.Response.WriteAsync("{");
            await context.Response.Body.FlushAsync();
            waiting.TrySetResult();
            await Task.Delay(Timeout.InfiniteTimeSpan, context.RequestAborted);
        };
        fixture.Turn.Time.Advance(Interval);
        await waiting.Task.WaitAsync(TimeSpan.FromSeconds(30), TestContext.Current.CancellationToken);
        Assert.Equal(1, fixture.Turn.Time.Timers(Interval));

        fixture.Turn.Time.Advance(KeyFetcher.Limit);
        await fixture.UntilWaitingAsync(Interval, 2);

        Assert.Contains(Address + "the WAF does not answer within 10 s", fixture.Logs[^1], StringComparison.Ordinal);
        Assert.Equal(StunError.None, await fixture.AllocateAsync(_known));
    }

    [Fact]
    public async Task Stop_EndsARequestThatWaits()
    {
        await using var fixture = await StartAsync(_known.Delivered(InAnHour));
        fixture.Waf.Respond = context => Task.Delay(Timeout.InfiniteTimeSpan, context.RequestAborted);
        fixture.Turn.Time.Advance(Interval);
        await Eventually.IsTrueAsync(() => fixture.Waf.Requests.Count == 2);

        await fixture.StopDeliveryAsync().WaitAsync(TimeSpan.FromSeconds(30), TestContext.Current.CancellationToken);

        Assert.DoesNotContain(fixture.Logs, record => record.StartsWith("Warning", StringComparison.Ordinal));
    }

    [Fact]
    [Requirement("RFC7635-4.1.1")]
    public async Task ResponseOfOnlyOneKey_AsTheRfcHasIt_IsUsed()
    {
        await using var fixture = await StartAsync(_known.Delivered(InAnHour));
        var next = new TokenKey("k.2", AccessTokenAlgorithm.A128Gcm);
        var key = next.Delivered(InAnHour);
        fixture.Waf.Respond = context => context.Response.WriteAsync(
            $$"""{"k":"{{key.K}}","exp":{{key.Exp}},"kid":"{{key.Kid}}","enc":"A128GCM","more":[1]}""");
        await fixture.PollAsync();

        Assert.Equal(StunError.None, await fixture.AllocateAsync(next));
        Assert.Equal(StunError.None, await fixture.AllocateAsync(_known));
    }

    [Fact]
    public async Task KeyThatHasExpired_IsLeftOut_AndTheOthersAreUsed()
    {
        await using var fixture = await StartAsync(_known.Delivered(InAnHour));
        var next = new TokenKey("k.2");
        fixture.Waf.Keys = [next.Delivered(InAnHour), new TokenKey("k.0").Delivered(InAnHour.AddHours(-2))];
        await fixture.PollAsync();

        Assert.Equal(StunError.None, await fixture.AllocateAsync(next));
        Assert.Equal(["k.1", "k.2"], fixture.Turn.Get<KeyReload>().Ages().Select(age => age.Kid).Order());
    }

    // Two polls, one line.
    private async Task AssertKeptAsync(DeliveryFixture fixture, string problem, string[] secrets)
    {
        await fixture.PollAsync();
        await fixture.PollAsync();

        var warning = Assert.Single(fixture.Logs, record => record.StartsWith("Warning", StringComparison.Ordinal));
        Assert.Contains($"the known ones stay. {problem}", warning, StringComparison.Ordinal);
        Assert.All(secrets, secret => Assert.True(secret is null || !fixture.Turn.Logs.Text.Contains(secret, StringComparison.Ordinal)));
        var health = await fixture.HealthAsync();
        Assert.Contains(problem, health.Description, StringComparison.Ordinal);
        Assert.Equal(["k.1"], fixture.Turn.Get<KeyReload>().Ages().Select(age => age.Kid));
        Assert.Equal(StunError.None, await fixture.AllocateAsync(_known));
    }

    private static Func<HttpContext, string, Task> StatusAsync(int status) => (context, good) =>
    {
        context.Response.StatusCode = status;
        return context.Response.WriteAsync(good);
    };

    private static Task RedirectAsync(HttpContext context, string good)
    {
        if (context.Request.Path == "/elsewhere") return context.Response.WriteAsync(good);
        context.Response.Redirect("/elsewhere");
        return Task.CompletedTask;
    }

    private static async Task AbortAsync(HttpContext context, string good)
    {
        context.Response.ContentLength = good.Length;
        await context.Response.WriteAsync(good[..^2]);
        await context.Response.Body.FlushAsync();
        context.Abort();
    }
}
