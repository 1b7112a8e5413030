namespace FenceGateway.Gateway.Requests;

/// <summary>A set of HTTP statuses from 400 to 599; two with the same statuses are equal.</summary>
internal sealed class StatusSet : IEquatable<StatusSet>
{
    private const int First = 400;
    private const int Count = 200;
    private readonly bool[] _contains = new bool[Count];

    public StatusSet(IEnumerable<int> statuses)
    {
        foreach (var status in statuses)
        {
            _contains[status - First] = true;
        }
    }

    public bool Contains(int status) => (uint)(status - First) < Count && _contains[status - First];

    public bool Equals(StatusSet? other) => other is not null && _contains.AsSpan().SequenceEqual(other._contains);

    public override bool Equals(object? obj) => Equals(obj as StatusSet);

    public override int GetHashCode()
    {
        var hash = new HashCode();
        for (var i = 0; i < Count; i++)
        {
            if (_contains[i])
            {
                hash.Add(i);
            }
        }

        return hash.ToHashCode();
    }
}
