namespace WebRtcIms.Wwsf.Settings;

/// <summary>
/// The identities that this WWSF holds for guests: <c>{Name}-1</c> to <c>{Name}-{Size}</c> of the home domain. The eP-CSCF is
/// configured with the same pool.
/// </summary>
/// <param name="Name">The part of each identity before the number.</param>
/// <param name="Size">The number of identities.</param>
/// <param name="PerAddress">The number of identities that one client address may have.</param>
/// <param name="DisplayName">The name that callees see, before the number.</param>
/// <param name="Lease">How long an unused lease lasts.</param>
/// <param name="Quarantine">How long an identity stays unused after its lease.</param>
internal sealed record PoolSettings(string Name, int Size, int PerAddress, string DisplayName, TimeSpan Lease, TimeSpan Quarantine)
{
    // The largest pool that an eP-CSCF accepts.
    private const int MaxSize = 10_000;

    public static PoolSettings Read(SettingsReader reader)
    {
        var name = reader.Text("Wwsf:Pool:Name", "guest");
        if (!name.All(char.IsAsciiLetterOrDigit)) reader.Problem("Wwsf:Pool:Name", $"'{name}' must be letters and digits");
        var size = reader.Number("Wwsf:Pool:Size", 50, MaxSize);
        return new PoolSettings(
            name,
            size,
            reader.Number("Wwsf:Pool:PerAddress", Math.Max(1, size / 2), MaxSize),
            reader.Text("Wwsf:Pool:DisplayName", "Guest"),
            reader.Duration("Wwsf:Pool:Lease", TimeSpan.FromMinutes(15), TimeSpan.FromSeconds(1), TimeSpan.FromDays(1)),
            reader.Duration("Wwsf:Pool:Quarantine", TimeSpan.FromSeconds(60), TimeSpan.FromSeconds(1), TimeSpan.FromDays(1)));
    }
}
