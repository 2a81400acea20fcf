using Microsoft.EntityFrameworkCore;

namespace WebRtcIms.Wwsf.Stores;

/// <summary>
/// Remembers values that may be used once, until they expire: for all replicas on one store, also after a restart. Only their hashes are
/// stored.
/// </summary>
internal sealed class SingleUse(WwsfStore store, TimeProvider time)
{
    // The clocks of replicas differ.
    private static readonly TimeSpan Reserve = TimeSpan.FromMinutes(1);

    /// <summary>Whether this is the first use. Of several uses at once, one is the first.</summary>
    /// <param name="value">The value, such as a challenge.</param>
    /// <param name="lifetime">The value is not accepted after this time.</param>
    public async Task<bool> TryUseAsync(string value, TimeSpan lifetime)
    {
        var hash = Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(value)));
        var now = time.GetUtcNow();
        var expired = now.ToUnixTimeSeconds();
        var expiresAt = (now + lifetime + Reserve).ToUnixTimeSeconds();
        await store.UsedValues.Where(used => used.ExpiresAt < expired).ExecuteDeleteAsync();
        return await store.Database.ExecuteSqlAsync(
            $"""INSERT INTO "UsedValues" ("Hash", "ExpiresAt") VALUES ({hash}, {expiresAt}) ON CONFLICT DO NOTHING""") == 1;
    }
}
