namespace WebRtcIms.Turn.Addresses;

/// <summary>Reports that addresses of this machine may have changed.</summary>
internal interface IAddressChanges
{
    /// <summary>Returns when something may have changed since the last return.</summary>
    Task WaitAsync(CancellationToken cancel);
}
