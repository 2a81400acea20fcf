using System.Net;
using System.Text;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.DependencyInjection.Extensions;
using WebRtcIms.Tests.Common;
using WebRtcIms.Waf.Clients;

namespace WebRtcIms.Waf.Tests;

/// <summary>Callers without a secret, from as many addresses as they like, cost a bounded amount of work.</summary>
public sealed class StrangerTests
{
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(20);

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    public static TheoryData<string> Attempts => ["wrong secret", "unknown client", "registration", "management"];

    [Theory]
    [MemberData(nameof(Attempts))]
    [Requirement("SEC-30")]
    public async Task WrongSecretsFromManyNetworks_AreHashedAFewAtATime_AndTheRestIsToldToWait(string attempt)
    {
        using var hash = new SlowHash(concurrent: 1, waiting: 2);
        using var app = new WafApp().WithRegistration()
            .WithServices(services => services.Replace(ServiceDescriptor.Singleton(hash)));
        await new TokenRequest().SendAsync(app);
        var release = await HoldAsync(hash, places: 3);

        var refused = await SendAsync(app, attempt).WaitAsync(Limit, Cancel);
        (await new TokenRequest().SendAsync(app).WaitAsync(Limit, Cancel)).AssertOk();
        release();

        Assert.Equal(HttpStatusCode.ServiceUnavailable, refused.StatusCode);
        Assert.Equal(TimeSpan.FromSeconds(1), refused.Headers.RetryAfter?.Delta);
        Assert.Contains("temporarily_unavailable", await refused.Content.ReadAsStringAsync(Cancel));
        Assert.Equal(1, app.Counts["waf.secrets.refused"]);
        refused.Dispose();
    }

    [Fact]
    [Requirement("SEC-30")]
    public async Task HashesAtTheSameTime_AreBounded()
    {
        using var hash = new SlowHash(concurrent: 2, waiting: 100);
        var (running, most) = (0, 0);
        var gate = new Lock();

        await Task.WhenAll(Enumerable.Range(0, 50).Select(_ => hash.RunAsync(async () =>
        {
            lock (gate) most = Math.Max(most, ++running);
            await Task.Yield();
            lock (gate) running--;
            return 0;
        }).AsTask()));

        Assert.InRange(most, 1, 2);
    }

    [Fact]
    [Requirement("SEC-30")]
    public void VerifiedSecret_IsRecognised_OnlyWithItsHash()
    {
        using var hash = new SlowHash();
        hash.AddVerified("right", "stored");

        Assert.True(hash.HasVerified("right", "stored"));
        Assert.False(hash.HasVerified("wrong", "stored"));
        Assert.False(hash.HasVerified("right", "another"));
    }

    [Theory]
    [InlineData("/.well-known/oauth-authorization-server")]
    [InlineData("/openapi/public.json")]
    [InlineData("/oauth2/register/x")]
    [Requirement("SEC-25")]
    public async Task EachPathForStrangers_CountsTowardsTheLimitOfItsAddress(string path)
    {
        using var app = new WafApp().With("Waf:TokenRequestsPerMinute", "2");
        using var client = app.CreateClient();
        List<HttpStatusCode> answers = [];

        for (var i = 0; i < 3; i++)
        {
            using var response = await client.GetAsync(new Uri(path, UriKind.Relative), Cancel);
            answers.Add(response.StatusCode);
        }

        Assert.DoesNotContain(HttpStatusCode.TooManyRequests, answers[..2]);
        Assert.Equal(HttpStatusCode.TooManyRequests, answers[2]);
    }

    [Theory]
    [InlineData("/oauth2/token")]
    [InlineData("/oauth2/revoke")]
    [Requirement("SEC-25")]
    public async Task LongBody_IsNotRead(string path)
    {
        await using var redis = await RedisServer.StartAsync();
        using var app = new WafApp().With("ConnectionStrings:redis", redis.Address).Listen();
        using var client = new HttpClient { BaseAddress = app.Address };
        using var form = new StringContent("a=" + new string('x', 65 * 1024), Encoding.ASCII, "application/x-www-form-urlencoded");

        using var response = await client.PostAsync(new Uri(path, UriKind.Relative), form, Cancel);

        Assert.Equal(HttpStatusCode.RequestEntityTooLarge, response.StatusCode);
    }

    // Takes all places, until the result is called.
    private static async Task<Action> HoldAsync(SlowHash hash, int places)
    {
        var (end, started) = (new TaskCompletionSource(), new TaskCompletionSource());
        for (var i = 0; i < places; i++)
        {
            _ = hash.RunAsync(async () =>
            {
                started.TrySetResult();
                await end.Task;
                return 0;
            }).AsTask();
        }

        await started.Task;
        return end.SetResult;
    }

    private static async Task<HttpResponseMessage> SendAsync(WafApp app, string attempt)
    {
        using var client = app.CreateClient();
        var isManagement = attempt == "management";
        using var request = new HttpRequestMessage(
            isManagement ? HttpMethod.Get : HttpMethod.Post,
            isManagement ? "/oauth2/register/nobody" : attempt == "registration" ? "/oauth2/register" : TokenRequest.Path);
        request.Headers.Authorization = attempt switch
        {
            "wrong secret" => TokenRequest.Basic(WafApp.Client, "a guess of the secret"),
            "unknown client" => TokenRequest.Basic("nobody", "a guess of the secret"),
            _ => new("Bearer", "a guess of a token"),
        };
        List<KeyValuePair<string, string>> form = [new("grant_type", "client_credentials"), new("scope", "stun"), new("aud", "x")];
        if (!isManagement) request.Content = new FormUrlEncodedContent(form);
        return await client.SendAsync(request, Cancel);
    }
}
