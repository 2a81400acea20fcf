namespace WebRtcIms.Wwsf.Settings;

/// <summary>
/// The identities that this WWSF holds for guests: <c>{Name}-1</c> to <c>{Name}-{Size}</c> of the home domain. The eP-CSCF is
/// configured with the same pool.
/// </summary>
internal sealed class PoolSettings
{
    // The largest pool that an eP-CSCF accepts.
    private const int MaxSize = 10_000;

    [RegularExpression("[A-Za-z0-9]+", ErrorMessage = "{0} must be letters and digits")]
    [Required(ErrorMessage = "{0} is missing")]
    public string Name { get; set; } = "guest";

    [Range(1, MaxSize, ErrorMessage = "{0} must be from {1} to {2}")]
    public int Size { get; set; } = 50;

    /// <summary>A tenth of the pool if it is not set.</summary>
    [Range(1, MaxSize, ErrorMessage = "{0} must be from {1} to {2}")]
    public int? PerAddress { get; set; }

    /// <summary>The number of identities that one client address may have.</summary>
    public int MaxPerAddress => PerAddress ?? Math.Max(1, Size / 10);

    /// <summary>Half of the pool if it is not set.</summary>
    [Range(1, MaxSize, ErrorMessage = "{0} must be from {1} to {2}")]
    public int? Unregistered { get; set; }

    /// <summary>The number of identities that guests without a registration may have, all together.</summary>
    public int MaxUnregistered => Unregistered ?? Math.Max(1, Size / 2);

    /// <summary>How long a guest keeps an identity without a registration.</summary>
    [Range(typeof(TimeSpan), "00:00:05", "01:00:00", ErrorMessage = "{0} must be a time from {1} to {2}")]
    public TimeSpan RegisterWithin { get; set; } = TimeSpan.FromSeconds(30);

    /// <summary>The name that callees see, before the number.</summary>
    [Required(ErrorMessage = "{0} is missing")]
    public string DisplayName { get; set; } = "Guest";

    /// <summary>How long the lease of a registered guest lasts without use.</summary>
    [Range(typeof(TimeSpan), "00:00:01", "1.00:00:00", ErrorMessage = "{0} must be a time from {1} to {2}")]
    public TimeSpan Lease { get; set; } = TimeSpan.FromMinutes(15);

    /// <summary>How long an identity stays unused after its lease.</summary>
    [Range(typeof(TimeSpan), "00:00:01", "1.00:00:00", ErrorMessage = "{0} must be a time from {1} to {2}")]
    public TimeSpan Quarantine { get; set; } = TimeSpan.FromMinutes(1);
}
