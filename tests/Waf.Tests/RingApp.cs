using System.Text;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Time.Testing;
using WebRtcIms.Contracts;
using WebRtcIms.Stun.OAuth;
using WebRtcIms.Waf.Keys;
using WebRtcIms.Waf.Rings;
using WebRtcIms.Waf.Stores;
using WebRtcIms.Waf.Tokens;

namespace WebRtcIms.Waf.Tests;

/// <summary>Starts WAFs in which the first TURN server has a ring of keys. Its kids are <c>k1.1</c>, <c>k1.2</c> and so on.</summary>
internal static class RingApp
{
    public static readonly DateTimeOffset Start = new(2026, 11, 28, 12, 0, 0, TimeSpan.Zero);

    /// <summary>A WAF with a store of its own, or with one that outlives it.</summary>
    public static WafApp Create(FakeTimeProvider time, string? folder = null)
    {
        var app = new WafApp { Time = time }.With("Waf:TurnServers:0:Key", "");
        return folder is null ? app : app.With("ConnectionStrings:waf", $"Data Source={folder}/waf.db;Pooling=false");
    }

    extension(WafApp app)
    {
        public KeyRing Ring => app.Services.GetRequiredService<KeyRings>().Find(WafApp.TurnServer)!;

        public KeyRotation Rotation => app.Services.GetRequiredService<KeyRotation>();

        public DateTimeOffset Now => app.Time!.GetUtcNow();

        /// <summary>Polls now.</summary>
        public Task RefreshAsync() => app.Rotation.RefreshAsync(TestContext.Current.CancellationToken);

        public Task<string?> RotateAsync() =>
            app.Rotation.RotateAsync(WafApp.TurnServer, "operator", TestContext.Current.CancellationToken);

        public Task<bool> RevokeAsync(string kid) => app.Rotation.RevokeAsync(kid, "operator", TestContext.Current.CancellationToken);

        /// <summary>The keys as a TURN server gets them.</summary>
        public LongTermKeys Deliver() => LongTermKeys.Parse(KeyEndpoint.Describe(app.Ring, app.Now).ToJson())!;

        /// <summary>The keys alive, as <c>k1.1 Current</c>.</summary>
        public IEnumerable<string> States() => app.Ring.GetAlive(app.Now).Select(key => $"{key.Kid} {key.StateAt(app.Now)}");

        public IssuedToken Issue() =>
            app.Services.GetRequiredService<TokenIssuer>().Issue(WafApp.TurnServer, MacAlgorithm.Sha256)!;

        public TokenIdentity? Identify(IssuedToken token) => app.Services.GetRequiredService<TokenIssuer>().Identify(token.AccessToken);

        public async Task<List<StoredKey>> StoredKeysAsync() => await app.InStoreAsync(store =>
            store.Keys.AsNoTracking().OrderBy(key => key.Number).ToListAsync(TestContext.Current.CancellationToken));

        /// <summary>The audit of keys, as <c>schedule key.created k1.1</c>.</summary>
        public async Task<List<string>> AuditAsync() => await app.InStoreAsync(store => store.Audit.AsNoTracking()
            .OrderBy(entry => entry.Id).Where(entry => entry.Action.StartsWith("key."))
            .Select(entry => $"{entry.Actor} {entry.Action} {entry.Subject}").ToListAsync(TestContext.Current.CancellationToken));

        public async Task<T> InStoreAsync<T>(Func<WafDatabase, Task<T>> use)
        {
            await using var scope = app.Services.CreateAsyncScope();
            return await use(scope.ServiceProvider.GetRequiredService<WafDatabase>());
        }
    }

    /// <summary>Moves the clock, without the polls: the test polls itself.</summary>
    public static void Pass(this FakeTimeProvider time, TimeSpan duration) => time.AdjustTime(time.GetUtcNow() + duration);

    /// <summary>Whether a TURN server that fetched these keys accepts the token now.</summary>
    public static bool Accepts(this LongTermKeys keys, IssuedToken token, DateTimeOffset now)
    {
        using var key = keys.All.Where(key => key.Kid == token.Kid && key.Exp > now.ToUnixTimeSeconds()).Select(key =>
        {
            Assert.True(AccessTokenAlgorithms.TryParse(key.Enc, out var algorithm));
            return new AccessTokenKey(key.Kid, algorithm, System.Buffers.Text.Base64Url.DecodeFromChars(key.K));
        }).SingleOrDefault();
        return key is not null
            && key.TryDecrypt(Convert.FromBase64String(token.AccessToken), Encoding.UTF8.GetBytes(WafApp.TurnServer), out var content)
                == AccessTokenStatus.Valid
            && content.RemainingSeconds(now) > 0;
    }
}
