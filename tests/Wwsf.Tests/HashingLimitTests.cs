using System.Net;
using Microsoft.AspNetCore.Identity;
using WebRtcIms.Tests.Common;
using WebRtcIms.Wwsf.Stores;

namespace WebRtcIms.Wwsf.Tests;

/// <summary>Password hashes at the same time are bounded for all clients together.</summary>
public sealed class HashingLimitTests : IDisposable
{
    private static readonly TimeSpan FailureTime = TimeSpan.FromMilliseconds(200);

    private readonly ObservedTime _time = new(TimeProvider.System.GetUtcNow());
    private readonly SlowHasher _hasher = new();

    public void Dispose() => _hasher.Dispose();

    [Fact]
    [Requirement("SEC-30")]
    public async Task LoginsOfManyAddresses_HashAFewAtOnce_SomeWait_AndOthersAreRefused()
    {
        using var app = NewApp(running: 2, waiting: 3);
        var pages = new List<Page>();
        for (var i = 0; i < 10; i++) pages.Add(await app.OpenPageAsync());
        _hasher.Hold();
        List<Task<Answer>> logins = [.. pages.Select((page, i) => page.LogInFromAsync($"203.0.113.{i}", "alice", "alice-calls-bob"))];

        // All have begun. The clock then moves once, so that no login waits for five seconds, however slow the machine is.
        await Eventually.IsTrueAsync(() => _time.Timers(FailureTime) == 10);
        _time.Advance(FailureTime);
        await Eventually.IsTrueAsync(() => logins.Count(login => login.IsCompleted) == 5);
        foreach (var refused in logins.Where(login => login.IsCompleted).Select(login => login.Result))
        {
            Assert.Equal((HttpStatusCode.ServiceUnavailable, "too_busy"), (refused.Status, refused.Code));
            Assert.InRange(int.Parse(refused.Headers["Retry-After"], null), 1, 10);
        }

        _hasher.Release();
        var answers = await Task.WhenAll(logins);
        Assert.Equal(5, answers.Count(answer => answer.Text("user") == "alice"));
        Assert.Equal(2, _hasher.Most);
    }

    [Fact]
    [Requirement("SEC-30")]
    public async Task KnownBrowser_DoesNotWaitForStrangers()
    {
        using var app = NewApp(running: 1, waiting: 1);
        var known = await app.OpenPageAsync();
        await known.LogInAsync("alice", "alice-calls-bob");
        var strangers = (await app.OpenPageAsync(), await app.OpenPageAsync());
        _hasher.Hold(1);
        var running = strangers.Item1.LogInAsync("bob", "bob-calls-alice");
        await Eventually.IsTrueAsync(() => _hasher.Running == 1);
        var waiting = strangers.Item2.LogInAsync("bob", "bob-calls-alice");

        Assert.Equal("alice", (await known.LogInAsync("alice", "alice-calls-bob")).Text("user"));
        Assert.False(running.IsCompleted || waiting.IsCompleted);
        _hasher.Release();
        Assert.All(await Task.WhenAll(running, waiting), answer => Assert.Equal("bob", answer.Text("user")));
    }

    [Fact]
    [Requirement("SEC-30")]
    public async Task WaitThatIsTooLong_IsRefused()
    {
        using var app = NewApp(running: 1, waiting: 10);
        var (one, other) = (await app.OpenPageAsync(), await app.OpenPageAsync());
        _hasher.Hold();
        var running = one.LogInAsync("bob", "bob-calls-alice");
        await Eventually.IsTrueAsync(() => _hasher.Running == 1);
        var waiting = other.LogInAsync("bob", "bob-calls-alice");
        await Eventually.IsTrueAsync(() => waiting.IsCompleted || Advanced());

        Assert.Equal("too_busy", (await waiting).Code);
        _hasher.Release();
        Assert.Equal("bob", (await running).Text("user"));
    }

    // A wait ends after five seconds.
    private bool Advanced()
    {
        _time.Advance(TimeSpan.FromMilliseconds(20));
        return false;
    }

    private WwsfApp NewApp(int running, int waiting) => new WwsfApp { Time = _time }
        .With("Wwsf:Limits:PasswordChecks", $"{running}")
        .With("Wwsf:Limits:WaitingPasswordChecks", $"{waiting}")
        .Replace<IPasswordHasher<User>>(_hasher);

    /// <summary>Holds each verification, or a number of them, until the test releases them.</summary>
    private sealed class SlowHasher : IPasswordHasher<User>, IDisposable
    {
        private readonly ManualResetEventSlim _gate = new(initialState: true);
        private readonly Lock _lock = new();
        private int _held;

        public int Running { get; private set; }

        public int Most { get; private set; }

        public void Hold(int count = int.MaxValue)
        {
            _held = count;
            _gate.Reset();
        }

        public void Release() => _gate.Set();

        public void Dispose() => _gate.Dispose();

        public string HashPassword(User user, string password) => password;

        public PasswordVerificationResult VerifyHashedPassword(User user, string hashedPassword, string providedPassword)
        {
            bool isHeld;
            lock (_lock)
            {
                Most = Math.Max(Most, ++Running);
                isHeld = _held-- > 0;
            }
            if (isHeld) Assert.True(_gate.Wait(TimeSpan.FromMinutes(1)));
            lock (_lock) Running--;
            return hashedPassword == providedPassword ? PasswordVerificationResult.Success : PasswordVerificationResult.Failed;
        }
    }
}
